"""Planning a day: read, decide, publish, enqueue; and refusing to rewrite a day that was lived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from paymentor_assets.audit.publications import (
    Publication,
    RunInfo,
    newest,
    publish_days,
)
from paymentor_assets.audit.sealing import is_sealed
from paymentor_assets.compliance.facts import GateFacts, hot_facts, lake_facts
from paymentor_assets.compliance.rules import Rulebook
from paymentor_assets.lenders import Lender
from paymentor_assets.offers.policy import OfferPolicy, load_policy
from paymentor_assets.strategies.allocation import Certificate
from paymentor_assets.strategies.checks import check_plan
from paymentor_assets.strategies.compare import difference
from paymentor_assets.strategies.decide import Decided, decide
from paymentor_assets.strategies.inputs import read_inputs
from paymentor_assets.strategies.queue import QueueChange, enqueue, withdraw
from paymentor_assets.strategies.tables import ACTIONS, GATE_COUNTS, OFFERS
from paymentor_assets.strategies.treatments import Strategy, load_strategy
from resources.crash_points import reach, register
from resources.errors import GateError, SealedDayError
from resources.lakehouse import Lakehouse, TableContract
from resources.operational_store import OperationalStore

register("strategies.after_withdraw", "strategies.after_publish")

STAGE = "decisions"


@dataclass(frozen=True)
class PlanResult:
    """A planned day: what was published, what the queue now holds, what was proven."""

    publication: Publication
    tables: Mapping[TableContract, pa.Table]
    certificates: Sequence[Certificate]
    queue: QueueChange
    candidates: int
    is_sealed: bool

    @property
    def is_changed(self) -> bool:
        """Whether this run changed anything."""
        return self.publication.is_new or not self.queue.is_empty

    @property
    def actions(self) -> int:
        """Actions planned, offers included."""
        return int(self.tables[ACTIONS].num_rows)

    @property
    def offers(self) -> int:
        """Credit offers among them."""
        return int(self.tables[OFFERS].num_rows)

    def counts(self, verdict: str | None = None) -> dict[str, int]:
        """Candidates of the mask by rule id (ALL = every candidate once), of one verdict or all."""
        found: dict[str, int] = {}
        for row in self.tables[GATE_COUNTS].to_pylist():
            if row["pass"] == "mask" and verdict in (None, row["verdict"]):
                found[row["rule_id"]] = found.get(row["rule_id"], 0) + row["candidates"]
        return found


def plan_day(
    lake: Lakehouse,
    store: OperationalStore,
    lender: Lender,
    day: date,
    run: RunInfo,
    *,
    rulebook: Rulebook | None = None,
    strategy: Strategy | None = None,
    policy: OfferPolicy | None = None,
) -> PlanResult:
    """Plan one day of one lender from what was known at its cut-off.

    Idempotent: the same knowledge publishes nothing new and leaves the queue alone. A plan that
    differs withdraws the old one first, also when the new one is empty.

    Raises PublicationError when features or rankings of the day are missing, SealedDayError when
    the day was carried out and would be decided differently now (nothing is written),
    GateError when a plan breaks its own rules (nothing is written).
    """
    rulebook = rulebook or Rulebook.load()
    strategy = strategy or load_strategy()
    policy = policy or load_policy()
    decided = decide(
        read_inputs(lake, lender, day),
        facts_at_cutoff(lake, store, lender, day),
        lender=lender,
        day=day,
        rulebook=rulebook,
        strategy=strategy,
        policy=policy,
    )
    _refuse_unsound(decided, lender, day)
    with store.read() as connection:
        sealed = is_sealed(connection, lender.lender_id, day)
    published = newest(lake, STAGE, lender.lender_id, day)
    differs = difference(lake, published, decided.tables, day)
    if sealed:
        if differs or published is None:
            raise _sealed_error(lender, day, differs)
        return _result(published, decided, QueueChange(), is_sealed=True)
    if published is None or differs:
        if published is not None:
            withdraw(store, lender.lender_id, day, run.clock)
            reach("strategies.after_withdraw")
        published = publish_days(
            lake,
            stage=STAGE,
            lender_id=lender.lender_id,
            days=[day],
            tables=decided.tables,
            inputs=decided.publications,
            run=run,
        )
        reach("strategies.after_publish")
    change = enqueue(store, decided.tables[ACTIONS], published, day, run.clock)
    return _result(published, decided, change, is_sealed=False)


def facts_at_cutoff(
    lake: Lakehouse, store: OperationalStore, lender: Lender, day: date
) -> GateFacts:
    """The gate's facts as they were known when the day closed."""
    cutoff = lender.cutoff_utc(day)
    with store.read() as connection:
        hot = hot_facts(connection, lender.lender_id, cutoff)
    return lake_facts(lake, lender, cutoff).with_hot(hot)


def _refuse_unsound(decided: Decided, lender: Lender, day: date) -> None:
    faults = [fault for found in check_plan(decided.tables, lender).values() for fault in found]
    if faults:
        raise GateError(
            f"The plan of {day.isoformat()} for lender {lender.lender_id} breaks its own rules and "
            f"was not published: {'; '.join(faults[:5])}."
        )


def _sealed_error(lender: Lender, day: date, differs: Mapping[str, str]) -> SealedDayError:
    lines = "\n".join(f"  {name}: {sentence}" for name, sentence in sorted(differs.items()))
    return SealedDayError(
        f"Day {day.isoformat()} of lender {lender.lender_id} was carried out and would be decided "
        f"differently now; nothing was written. What differs:\n{lines}",
        dict(differs),
    )


def _result(
    publication: Publication, decided: Decided, queue: QueueChange, *, is_sealed: bool
) -> PlanResult:
    return PlanResult(
        publication=publication,
        tables=decided.tables,
        certificates=decided.certificates,
        queue=queue,
        candidates=decided.candidates,
        is_sealed=is_sealed,
    )
