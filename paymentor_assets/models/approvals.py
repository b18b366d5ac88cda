"""`models.approvals`: who allowed which artefact to score, when and why. Append-only, the truth.

Of each version the last event counts; the champion is the version approved last that still is. The
table sees a few rows a year, which is why it may be written a decision at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.expressions import EqualTo

from paymentor_assets.ids import deterministic_id
from resources.clock import Clock, naive_utc
from resources.errors import ApprovalError
from resources.lakehouse import TIMESTAMP, Lakehouse, TableContract, column

State = Literal["registered", "approved", "rejected", "rolled_back"]

_COMMIT_ATTEMPTS = 5

APPROVALS = TableContract(
    name="models.approvals",
    description="Every registration, approval, rejection and rollback of a model version.",
    key=("event_id",),
    schema=pa.schema(
        [
            column("event_id", pa.string(), "Deterministic id of the event."),
            column("sequence", pa.int64(), "1, 2, 3 … in order of writing."),
            column("family", pa.string(), "Model family."),
            column("version", pa.int32(), "Version in the registry."),
            column("artefact_sha256", pa.string(), "Hash of the artefact the event is about."),
            column("state", pa.string(), "registered, approved, rejected or rolled_back."),
            column("actor", pa.string(), "Who did it; of a registration, the trainer."),
            column("reason", pa.string(), "Why, in the actor's words."),
            column("trainer", pa.string(), "Who trained the version."),
            column("at_utc", TIMESTAMP, "When, by the clock of the command or run."),
            column(
                "checks", pa.string(), "JSON list of checks and figures; null but for approvals."
            ),
            column("despite", pa.string(), "Why it was approved although a check failed, or null."),
        ]
    ),
    # Two decisions at once must not both believe they are the last; the loser reads again.
    properties={"commit.retry.num-retries": "0"},
)


@dataclass(frozen=True)
class ApprovalEvent:
    """One row of `models.approvals`; `sequence` 0 until it is written."""

    family: str
    version: int
    artefact_sha256: str
    state: State
    actor: str
    reason: str
    trainer: str
    at_utc: datetime
    #: Of an approval: a JSON list of `approval_checks.Finding`.
    checks: str | None = None
    despite: str | None = None
    sequence: int = 0

    @property
    def event_id(self) -> str:
        """What the event says decides its id; its place in the table keeps repetitions apart."""
        return deterministic_id(
            self.family, self.version, self.artefact_sha256, self.state, self.actor, self.sequence
        )


def event(
    *, family: str, version: int, artefact_sha256: str, state: State, actor: str, reason: str,
    trainer: str, clock: Clock, checks: str | None = None, despite: str | None = None,
) -> ApprovalEvent:  # fmt: skip
    """An event that happens now, by `clock`."""
    at_utc = naive_utc(clock.now())
    return ApprovalEvent(
        family, version, artefact_sha256, state, actor, reason, trainer, at_utc, checks, despite
    )


def history(lake: Lakehouse, family: str) -> list[ApprovalEvent]:
    """All events of a family, oldest first; empty when nothing was ever decided."""
    if not lake.exists(APPROVALS.name):
        return []
    rows = lake.scan(APPROVALS.name, row_filter=EqualTo("family", family)).to_pylist()
    return [_from_row(row) for row in sorted(rows, key=lambda row: row["sequence"])]


def families(lake: Lakehouse) -> list[str]:
    """Families about which anything was ever recorded, in order of name."""
    if not lake.exists(APPROVALS.name):
        return []
    return sorted(set(lake.scan(APPROVALS.name, columns=("family",)).column(0).to_pylist()))


def states(events: Sequence[ApprovalEvent]) -> dict[int, ApprovalEvent]:
    """The last event of each version."""
    return {e.version: e for e in events}


def champion(events: Sequence[ApprovalEvent]) -> ApprovalEvent | None:
    """The approval in force: the last one whose version was not rejected or rolled back since."""
    last = states(events)
    in_force = [e for e in last.values() if e.state == "approved"]
    return max(in_force, key=lambda e: e.sequence, default=None)


def append(lake: Lakehouse, events: Sequence[ApprovalEvent]) -> list[ApprovalEvent]:
    """Write events in one commit, in order; returns them numbered.

    Raises ApprovalError when somebody else decides about the same family meanwhile: what they wrote
    may change what this decision should be.
    """
    family = events[0].family
    before = len(history(lake, family))
    for _ in range(_COMMIT_ATTEMPTS):
        table = lake.ensure(APPROVALS)
        taken = table.scan(selected_fields=("sequence", "family")).to_arrow()
        if taken.column("family").to_pylist().count(family) != before:
            break
        first = max(taken.column("sequence").to_pylist(), default=0) + 1
        numbered = [
            ApprovalEvent(**{**e.__dict__, "sequence": first + k}) for k, e in enumerate(events)
        ]
        rows = pa.Table.from_pylist([_to_row(e) for e in numbered], schema=APPROVALS.schema)
        try:
            table.append(rows, snapshot_properties={"family": family})
        except CommitFailedException:
            continue
        return numbered
    raise ApprovalError(
        f"Somebody else decided about {family} at the same moment. Look with "
        f"`paymentor models list {family}` and decide again."
    )


def _to_row(e: ApprovalEvent) -> dict[str, Any]:
    return {"event_id": e.event_id, **e.__dict__}


def _from_row(row: dict[str, Any]) -> ApprovalEvent:
    return ApprovalEvent(**{name: value for name, value in row.items() if name != "event_id"})
