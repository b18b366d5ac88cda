"""The third look of the gate: planned actions judged on the facts of the moment they leave."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from paymentor_assets.compliance.candidate import JUDGED
from paymentor_assets.compliance.facts import GateFacts
from paymentor_assets.compliance.gate import evaluate
from paymentor_assets.compliance.rules import Rulebook
from paymentor_assets.engagement.queue import QueuedAction
from resources.clock import naive_utc
from resources.errors import GateError


@dataclass(frozen=True)
class Verdict:
    """What the gate says about one action now."""

    verdict: str
    violated_rules: str
    defer_until: datetime | None
    facts: dict[str, Any]

    @property
    def rule_ids(self) -> list[str]:
        """Ids of the violated rules, each once, sorted."""
        return sorted({str(rule["id"]) for rule in json.loads(self.violated_rules)})


def judge_now(
    actions: Sequence[QueuedAction], facts: GateFacts, rulebook: Rulebook, now: datetime
) -> dict[str, Verdict]:
    """One verdict an action, by action id; `now` (naive UTC) is the instant it would be sent.

    Raises GateError when the gate does not answer for every action: silence is not an "allow".
    """
    by_candidate = {action.candidate_id: action for action in actions}
    if len(by_candidate) != len(actions):
        raise GateError("Two actions stem from one candidate; nothing of the batch was judged.")
    candidates = pa.Table.from_pylist([_candidate(a, now) for a in actions], schema=JUDGED)
    verdicts = {
        by_candidate[row["candidate_id"]].action_id: Verdict(
            row["verdict"],
            row["violated_rules"],
            row["defer_until_utc"],
            {**json.loads(row["facts_read"]), "sources": dict(facts.sources)},
        )
        for row in evaluate(candidates, _before(facts, now), rulebook).to_pylist()
    }
    silent = [a.action_id for a in actions if a.action_id not in verdicts]
    if silent:
        raise GateError(f"The gate gave no verdict for {len(silent)} actions ({silent[0]}, …).")
    return verdicts


def _before(facts: GateFacts, now: datetime) -> GateFacts:
    """The same facts, with every contact made by `now` lying before it.

    Of two contacts at one instant the gate lets the smaller id come first, which is right for a
    plan. Here the other one has left the house already (in simulated time at this very instant), so
    it comes first whatever its id.
    """
    if facts.contacts is None:
        return facts
    column = facts.contacts.column("contacted_at_utc")
    just_before = pa.scalar(now - timedelta(microseconds=1), column.type)
    is_now = pc.equal(column, pa.scalar(now, column.type))
    moved = pc.if_else(is_now, just_before, column)
    position = facts.contacts.column_names.index("contacted_at_utc")
    contacts = facts.contacts.set_column(position, facts.contacts.schema.field(position), moved)
    return replace(facts, contacts=contacts)


def _candidate(action: QueuedAction, now: datetime) -> dict[str, Any]:
    # The queue has no columns for what only some rules read; the plan puts it into the payload.
    payload = action.payload
    return {
        "candidate_id": action.candidate_id,
        "candidate_kind": action.kind,
        "account_id": action.account_id,
        "customer_id": action.customer_id,
        "purpose": action.purpose,
        "channel": action.channel,
        "scheduled_at_utc": now,
        "time_zone": action.time_zone,
        "country": action.country,
        "state": action.state,
        "locality": payload.get("locality"),
        "address_token": action.address_token,
        "amount_due": _money(payload.get("amount_due")),
        "offer_amount": _money(payload.get("offer_amount")),
        "offer_annual_rate": _number(payload.get("offer_annual_rate")),
        "offer_tenor_months": payload.get("offer_tenor_months"),
        "offer_emi": _money(payload.get("offer_emi")),
        "offer_expires_at_utc": _instant(payload.get("offer_expires_at_utc")),
    }


def _money(value: object) -> Decimal | None:
    return None if value is None else Decimal(str(value)).quantize(Decimal("0.01"))


def _number(value: object) -> float | None:
    return None if value is None else float(str(value))


def _instant(value: object) -> datetime | None:
    if value is None:
        return None
    instant = datetime.fromisoformat(str(value))
    return instant if instant.tzinfo is None else naive_utc(instant)
