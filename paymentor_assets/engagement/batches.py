"""The operational tables of dispatch as lakehouse tables, and their publication."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from sqlalchemy import func, select

from paymentor_assets.audit.micro_batches import MicroBatch
from paymentor_assets.audit.publications import Publication, RunInfo, publish_heads
from paymentor_assets.engagement.tables import DELIVERIES, DISPATCH_DECISIONS
from paymentor_assets.lenders import Lender
from resources.lakehouse import Lakehouse
from resources.operational_schema import actions, deliveries, dispatch_verdicts
from resources.operational_store import OperationalStore

STAGE = "dispatch"


def decisions_batch() -> MicroBatch:
    """Verdicts at dispatch -> decisions.dispatch_decisions."""
    query = select(dispatch_verdicts, actions.c.candidate_id, actions.c.kind).outerjoin(
        actions, actions.c.action_id == dispatch_verdicts.c.action_id
    )
    return MicroBatch(
        DISPATCH_DECISIONS, "dispatch_verdicts", query, dispatch_verdicts.c.seq, _decision
    )


def deliveries_batch(lenders: Mapping[str, Lender]) -> MicroBatch:
    """Deliveries -> engagement.deliveries."""

    def derive(row: dict[str, Any]) -> dict[str, Any]:
        occurred = row["occurred_at_utc"].replace(tzinfo=UTC)
        return {**row, "known_date": lenders[row["lender_id"]].local_day(occurred)}

    return MicroBatch(DELIVERIES, "deliveries", select(deliveries), deliveries.c.seq, derive)


def publish_dispatch(
    lake: Lakehouse, store: OperationalStore, run: RunInfo
) -> tuple[Publication, ...]:
    """Publish stage `dispatch` for every lender with verdicts; nothing when nothing is newer."""
    heads = {
        contract.name: head
        for contract in (DISPATCH_DECISIONS, DELIVERIES)
        if (head := lake.head(contract.name)) is not None
    }
    if DISPATCH_DECISIONS.name not in heads:
        return ()
    query = (
        select(dispatch_verdicts.c.lender_id, func.max(dispatch_verdicts.c.as_of_date).label("day"))
        .group_by(dispatch_verdicts.c.lender_id)
        .order_by(dispatch_verdicts.c.lender_id)
    )
    with store.read() as connection:
        newest_days = [(row.lender_id, row.day) for row in connection.execute(query)]
    return tuple(
        publish_heads(lake, stage=STAGE, lender_id=lender_id, day=day, tables=heads, run=run)
        for lender_id, day in newest_days
    )


def _decision(row: dict[str, Any]) -> dict[str, Any]:
    facts = json.loads(row["facts"])
    sources = facts.get("sources", {})
    inputs = {sources[stage] for stage in ("ingestion", "engagement") if stage in sources}
    inputs.add(facts["plan_publication_id"])
    return {
        **row,
        "candidate_kind": row["kind"],
        "input_publications": json.dumps(sorted(inputs)),
    }
