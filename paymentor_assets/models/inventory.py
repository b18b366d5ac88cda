"""What `paymentor models list | show | compare` and the approvals asset show, as plain data."""

from __future__ import annotations

import json
from typing import Any

from paymentor_assets.models import approval_checks, approvals, artefact, assessment
from resources.lakehouse import Lakehouse
from resources.registry import ModelRegistry


def family_names(lake: Lakehouse, registry: ModelRegistry) -> list[str]:
    """Families with a registered version or a recorded decision, in order of name."""
    return sorted({*registry.families(), *approvals.families(lake)})


def list_versions(lake: Lakehouse, registry: ModelRegistry, family: str) -> list[dict[str, Any]]:
    """One entry a version, newest first: state, champion or not, who trained and who decided."""
    events = approvals.history(lake, family)
    last = approvals.states(events)
    in_force = approvals.champion(events)
    entries = []
    for version in reversed(registry.versions(family)):
        decision = last.get(version.version)
        is_decided = decision is not None and decision.state != "registered"
        entries.append(
            {
                "family": family,
                "version": version.version,
                "state": decision.state if decision else "registered",
                "is_champion": in_force is not None and in_force.version == version.version,
                "trainer": version.trainer,
                "registered_at_utc": version.registered_at_utc.isoformat(),
                "decided_by": decision.actor if decision and is_decided else None,
                "reason": decision.reason if decision and is_decided else None,
                "artefact_sha256": version.artefact_sha256,
            }
        )
    return entries


def show(lake: Lakehouse, registry: ModelRegistry, family: str, version: int) -> dict[str, Any]:
    """Everything about one version: metrics, provenance tags, decisions, and its model card.

    Raises NotFound for an unknown version, ApprovalError when its artefact is gone.
    """
    found = registry.version(family, version)
    entry = next(e for e in list_versions(lake, registry, family) if e["version"] == version)
    files = artefact.read_files(registry.artefact_dir(found))
    return {
        **entry,
        "artefact_is_intact": artefact.sha256_of_files(files) == found.artefact_sha256,
        "metrics": registry.metrics(found.run_id),
        "artefact": str(registry.artefact_dir(found)),
        "tags": dict(found.tags),
        "decisions": [
            {
                "state": e.state,
                "actor": e.actor,
                "reason": e.reason,
                "at_utc": e.at_utc.isoformat(),
                "checks": json.loads(e.checks) if e.checks else [],
                "despite": e.despite,
            }
            for e in approvals.history(lake, family)
            if e.version == version
        ],
        "card": files.get(artefact.CARD_FILE, b"").decode(),
    }


def compare(registry: ModelRegistry, family: str, version: int, other: int) -> dict[str, Any]:
    """`metrics` of two versions with their difference (other minus version), and `checks`: what an
    approval of `other` would find while `version` is the champion.

    Versions of different extracts were judged on different days; their cards say on which. Raises
    NotFound for an unknown version, ApprovalError when an artefact is gone or cannot be read.
    """
    first, second = registry.version(family, version), registry.version(family, other)
    before, after = registry.metrics(first.run_id), registry.metrics(second.run_id)
    old, new = (artefact.read_files(registry.artefact_dir(found)) for found in (first, second))
    findings = assessment.assess(new, old, f"{family} version {other}")
    return {
        "metrics": [
            {
                "metric": metric,
                "version": before.get(metric),
                "other": after.get(metric),
                "difference": (
                    round(after[metric] - before[metric], 6)
                    if metric in before and metric in after
                    else None
                ),
            }
            for metric in sorted({*before, *after})
        ],
        "checks": approval_checks.as_record(findings),
    }
