"""A version before its approval: the checks of `approval_checks` on what its artefact carries."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from paymentor_assets.models import approval_checks, artefact, fairness
from paymentor_assets.models.approval_checks import Finding
from paymentor_assets.models.artefact import ModelArtefact
from paymentor_assets.models.learning.supervised import FittedModel
from paymentor_assets.models.predictions import read_evaluation
from resources.errors import ApprovalError


def assess(
    files: Mapping[str, bytes], champion_files: Mapping[str, bytes] | None, what: str
) -> list[Finding]:
    """All findings about an artefact's files, beside those of the champion where there is one.

    `what` names family and version in errors. Raises ApprovalError when the artefact cannot be
    read as a model, ContractError when its stored predictions cannot be read.
    """
    try:
        model = artefact.from_files(files)
    except (KeyError, ValueError) as error:
        raise ApprovalError(
            f"{what}: the artefact cannot be read as a model ({error!r}); train anew."
        ) from error
    new = read_evaluation(files, what)
    old = {}
    if champion_files is not None:
        old = read_evaluation(champion_files, f"the champion before {what}")
    return [
        approval_checks.against_champion(new, old),
        approval_checks.calibrated(new),
        approval_checks.stable(new),
        fairness.fair(new),
        approval_checks.without_leaks(model.card),
        approval_checks.quick(_scoring(model)),
    ]


def refuse_failed(findings: list[Finding], what: str, despite: str | None) -> None:
    """ApprovalError with every finding when one failed and nobody says why it may pass."""
    failed = [finding.check for finding in findings if finding.status == "failed"]
    if failed and not (despite and despite.strip()):
        listed = "\n".join(f"  {f.check}: {f.status}, {f.figure}" for f in findings)
        raise ApprovalError(
            f"{what} is not approved: {', '.join(failed)} failed.\n{listed}\n"
            "Train a better version, or approve with --despite REASON, which is recorded."
        )


def _scoring(model: ModelArtefact) -> Callable[[], object] | None:
    learned = [fitted for fitted in model.targets.values() if isinstance(fitted, FittedModel)]
    probes = [fitted.schema.probe(approval_checks.PROBE_ROWS) for fitted in learned]
    if not learned:
        return None
    return lambda: [fitted.predict(probe) for fitted, probe in zip(learned, probes, strict=True)]
