"""Approving model versions, and loading what is approved: invariant 6 of the house.

`models.approvals` is the truth; the audit ledger mirrors it and is completed whenever a decision is
made, so a decision that died half-way is finished by the next one, or by repeating it. MLflow's
aliases mirror it too, but model development sets them (`models.handover`): nothing here writes to
the registry.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from paymentor_assets.audit import ledger
from paymentor_assets.models import approval_checks, approvals, artefact, assessment
from paymentor_assets.models.approvals import ApprovalEvent, State
from paymentor_assets.models.artefact import ModelArtefact
from resources.clock import Clock
from resources.crash_points import reach, register
from resources.errors import ApprovalError, NoApprovedModel, NotFound, RegistryError
from resources.lakehouse import Lakehouse
from resources.operational_schema import ledger as ledger_table
from resources.operational_store import OperationalStore
from resources.registry import ModelRegistry, RegisteredVersion

register("models.approve.after_approval")


@dataclass(frozen=True)
class ApprovedModel:
    """A loaded artefact and the approval under which it scores."""

    artefact: ModelArtefact
    approval: ApprovalEvent

    @property
    def family(self) -> str:
        """The model family."""
        return self.approval.family

    @property
    def version(self) -> int:
        """The version in the registry."""
        return self.approval.version


def approved_version(lake: Lakehouse, family: str) -> ApprovalEvent:
    """The approval in force; NoApprovedModel saying what to run when there is none."""
    events = approvals.history(lake, family)
    in_force = approvals.champion(events)
    if in_force is None:
        raise NoApprovedModel(
            f"No version of {family} is approved, so nothing may score. List the versions with "
            f"`paymentor models list {family}` and, if one deserves it, "
            f"`paymentor models approve {family} VERSION --actor NAME --reason WHY`."
        )
    return in_force


def load_approved(lake: Lakehouse, registry: ModelRegistry, family: str) -> ApprovedModel:
    """Load the approved artefact after comparing its bytes with the approval.

    Raises NoApprovedModel without an approval, ApprovalError when version or bytes are not those
    that were approved.
    """
    approval = approved_version(lake, family)
    files = _approved_files(registry, approval)
    return ApprovedModel(artefact.from_files(files), approval)


def approve(
    lake: Lakehouse,
    registry: ModelRegistry,
    store: OperationalStore,
    *,
    family: str,
    actor: str,
    reason: str,
    clock: Clock,
    version: int | None = None,
    despite: str | None = None,
) -> int:
    """Approve a version (by default the newest) for scoring; returns the version.

    It is checked first (`models.assessment`), and the findings are recorded with the decision.
    `despite` says why it is approved although a check failed.

    Raises ApprovalError when the actor trained it, gives no reason, a check fails without a
    `despite`, or the artefact's bytes are not those that were registered; NotFound when there is
    no such version. Approving the champion
    again changes nothing but completes the ledger.
    """
    target = _target(registry, family, version)
    _check_actor(actor, reason)
    if _same_person(actor, target.trainer):
        raise ApprovalError(
            f"{actor} trained {family} version {target.version} and may not approve it; "
            "somebody else has to."
        )
    files = _checked_files(registry, target)
    in_force = approvals.champion(approvals.history(lake, family))
    if in_force is None or in_force.version != target.version:
        what = f"{family} version {target.version}"
        findings = assessment.assess(files, _champion_files(registry, in_force), what)
        assessment.refuse_failed(findings, what, despite)
        checks = json.dumps(approval_checks.as_record(findings))
        _decide(lake, registry, target, "approved", actor, reason, clock, checks, despite)
    complete_ledger(lake, store, family=family, clock=clock)
    return target.version


def reject(
    lake: Lakehouse,
    registry: ModelRegistry,
    store: OperationalStore,
    *,
    family: str,
    version: int,
    actor: str,
    reason: str,
    clock: Clock,
) -> int:
    """Reject a version that is not in force; returns the version.

    Raises ApprovalError for the champion (that is a rollback) or without actor and reason.
    """
    target = _target(registry, family, version)
    _check_actor(actor, reason)
    events = approvals.history(lake, family)
    in_force = approvals.champion(events)
    if in_force is not None and in_force.version == version:
        raise ApprovalError(
            f"{family} version {version} is in force; take it out with "
            f"`paymentor models rollback {family} --actor NAME --reason WHY`."
        )
    last = approvals.states(events).get(version)
    if last is None or last.state != "rejected":
        _decide(lake, registry, target, "rejected", actor, reason, clock)
    complete_ledger(lake, store, family=family, clock=clock)
    return version


def rollback(
    lake: Lakehouse,
    registry: ModelRegistry,
    store: OperationalStore,
    *,
    family: str,
    actor: str,
    reason: str,
    clock: Clock,
) -> int | None:
    """Take the champion out; returns the version in force afterwards, None when there is none left.

    The version approved before it takes over if its bytes are still those approved; otherwise
    ApprovalError and nothing changes. With none before it scoring stops: that is what was asked.
    """
    _check_actor(actor, reason)
    events = approvals.history(lake, family)
    leaving = approved_version(lake, family)
    staying = approvals.champion([e for e in events if e.version != leaving.version])
    if staying is not None:
        _approved_files(registry, staying)
    target = registry.version(family, leaving.version)
    _decide(lake, registry, target, "rolled_back", actor, reason, clock)
    complete_ledger(lake, store, family=family, clock=clock)
    return None if staying is None else staying.version


def record_registrations(
    lake: Lakehouse, registry: ModelRegistry, store: OperationalStore, *, family: str, clock: Clock
) -> int:
    """Write down versions that development has registered since; returns how many."""
    missing = _unrecorded(lake, registry, family)
    if missing:
        approvals.append(lake, missing)
    complete_ledger(lake, store, family=family, clock=clock)
    return len(missing)


def complete_ledger(lake: Lakehouse, store: OperationalStore, *, family: str, clock: Clock) -> None:
    """Bring the audit ledger up to `models.approvals`; does nothing when it is."""
    reach("models.approve.after_approval")
    events = approvals.history(lake, family)
    with store.write() as connection:
        known: set[str] = set(
            connection.execute(
                select(ledger_table.c.subject).where(ledger_table.c.kind.like("model.%"))
            ).scalars()
        )
        for e in events:
            if e.event_id not in known:
                ledger.append(
                    connection,
                    clock=clock,
                    actor=e.actor,
                    kind=f"model.{e.state}",
                    subject=e.event_id,
                    payload=e.__dict__,
                )


def _decide(
    lake: Lakehouse,
    registry: ModelRegistry,
    target: RegisteredVersion,
    state: State,
    actor: str,
    reason: str,
    clock: Clock,
    checks: str | None = None,
    despite: str | None = None,
) -> None:
    decision = approvals.event(
        family=target.family,
        version=target.version,
        artefact_sha256=target.artefact_sha256,
        state=state,
        actor=actor.strip(),
        reason=reason.strip(),
        trainer=target.trainer,
        clock=clock,
        checks=checks,
        despite=despite,
    )
    approvals.append(lake, [*_unrecorded(lake, registry, target.family), decision])


def _unrecorded(lake: Lakehouse, registry: ModelRegistry, family: str) -> Sequence[ApprovalEvent]:
    known = {e.version for e in approvals.history(lake, family)}
    return [
        ApprovalEvent(
            family=family,
            version=v.version,
            artefact_sha256=v.artefact_sha256,
            state="registered",
            actor=v.trainer,
            reason="Registered by model development.",
            trainer=v.trainer,
            at_utc=v.registered_at_utc.replace(tzinfo=None),
        )
        for v in registry.versions(family)
        if v.version not in known
    ]


def _target(registry: ModelRegistry, family: str, version: int | None) -> RegisteredVersion:
    if version is not None:
        return registry.version(family, version)
    versions = registry.versions(family)
    if not versions:
        raise NotFound(
            f"The registry has no version of {family}. Train one: materialise "
            f"models/training_extract, then models/{family} in the model_development location."
        )
    return versions[-1]


def _check_actor(actor: str, reason: str) -> None:
    if not actor.strip():
        raise ApprovalError("A decision about a model needs a person: give --actor NAME.")
    if not reason.strip():
        raise ApprovalError("A decision about a model needs a reason: give --reason WHY.")


def _same_person(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def _checked_files(registry: ModelRegistry, version: RegisteredVersion) -> Mapping[str, bytes]:
    files = artefact.read_files(registry.artefact_dir(version))
    found = artefact.sha256_of_files(files)
    if found != version.artefact_sha256:
        raise ApprovalError(
            f"The artefact of {version.family} version {version.version} was altered after it was "
            f"registered: its files hash to {found[:12]}…, registered was "
            f"{version.artefact_sha256[:12]}…. Restore the files, or train anew."
        )
    return files


def _champion_files(
    registry: ModelRegistry, in_force: ApprovalEvent | None
) -> Mapping[str, bytes] | None:
    # A champion that is gone or altered must not stand in the way of its successor.
    try:
        return None if in_force is None else _approved_files(registry, in_force)
    except ApprovalError:
        return None


def _approved_files(registry: ModelRegistry, approval: ApprovalEvent) -> Mapping[str, bytes]:
    try:
        version = registry.version(approval.family, approval.version)
    except NotFound as error:
        raise ApprovalError(
            f"{approval.family} version {approval.version} is approved but gone: {error} "
            "Restore the registry, or approve another version."
        ) from error
    except RegistryError as error:
        raise ApprovalError(
            f"{approval.family} version {approval.version} is approved and cannot be loaded: "
            f"{error}"
        ) from error
    if version.artefact_sha256 != approval.artefact_sha256:
        raise ApprovalError(
            f"{approval.family} version {approval.version} in the registry is not the artefact "
            f"that {approval.actor} approved ({version.artefact_sha256[:12]}… instead of "
            f"{approval.artefact_sha256[:12]}…). Approve the version anew, or roll back."
        )
    return _checked_files(registry, version)
