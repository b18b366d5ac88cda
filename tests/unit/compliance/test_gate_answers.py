"""What the gate answers beside the rules: verdicts, deferrals, missing facts, what was read."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from paymentor_assets.compliance.candidate import JUDGED
from paymentor_assets.compliance.facts import GateFacts
from paymentor_assets.compliance.gate import evaluate, judge
from paymentor_assets.compliance.rules import Rulebook
from resources.errors import GateError
from tests.support.gate_rows import (
    MORNING,
    NOON,
    OLD,
    RULEBOOK,
    WEEK,
    Row,
    american,
    answer,
    contact,
    ids,
    naive,
    offer,
    past,
    people,
    permissions,
    statement,
)
from tests.support.planning_people import free_facts
from tests.support.planning_tables import CHANNELS


@pytest.mark.parametrize(
    ("fact", "rule"),
    [
        ("permissions", "HOUSE-PERMISSION"),
        ("suppressions", "HOUSE-SUPPRESSION"),
        ("blacklist", "HOUSE-BLACKLIST"),
        ("fraud", "HOUSE-FRAUD"),
        ("contacts", "HOUSE-CAP"),
    ],
)
def test_a_fact_that_is_not_available_blocks_and_says_so(fact: str, rule: str) -> None:
    found = answer(contact(), **{fact: None})

    assert found["verdict"] == "block"
    assert found["defer_until_utc"] is None
    details = [r["detail"] for r in found["rules"] if r["id"] == rule]
    assert details and all(detail == f"fact not available: {fact}" for detail in details)


def test_a_missing_registry_blocks_only_those_it_binds() -> None:
    assert ids(contact(), dnd=None) == set()
    assert ids(offer(), dnd=None) == {"IN-DND"}


def test_an_unknown_zone_blocks_although_hours_could_be_waited_for() -> None:
    found = answer(contact(time_zone="Mars/Olympus"))

    assert found["verdict"] == "block"
    assert {"HOUSE-JURISDICTION", "IN-HOURS", "HOUSE-CAP"} == {r["id"] for r in found["rules"]}


@pytest.mark.parametrize(
    ("row", "facts", "until"),
    [
        # before opening: today's opening; after closing: tomorrow's
        (contact(scheduled_at_utc=naive(2026, 6, 2, 1)), {}, naive(2026, 6, 2, 2, 30)),
        (contact(scheduled_at_utc=naive(2026, 6, 2, 14)), {}, naive(2026, 6, 3, 2, 30)),
        # the night in which the clocks go forward is an hour shorter
        (american(scheduled_at_utc=naive(2026, 3, 8, 3)), {}, naive(2026, 3, 8, 12)),
        (american(scheduled_at_utc=naive(2026, 11, 1, 3)), {}, naive(2026, 11, 1, 13)),
        # caps end at the person's midnight, but nobody is texted then
        (contact(), {"contacts": past(NOON + MORNING)}, naive(2026, 6, 3, 2, 30)),
        (
            contact(),
            {"contacts": past(*(NOON - timedelta(days=d) for d in (1, 2, 3, 4)))},
            naive(2026, 6, 5, 2, 30),
        ),
        # both the hours and the federal conversation window must pass
        (
            american(channel="voice"),
            {"contacts": past(WEEK[0], channel="voice", is_conversation=True)},
            naive(2026, 6, 9, 12),
        ),
        # in Washington the later of two openings counts
        (
            american("WA", "America/Los_Angeles", scheduled_at_utc=naive(2026, 6, 2, 14)),
            {},
            naive(2026, 6, 2, 15),
        ),
    ],
)  # fmt: skip
def test_deferral_ends_at_the_first_allowed_instant(
    row: Row, facts: dict[str, object], until: datetime
) -> None:
    found = answer(row, **facts)

    assert (found["verdict"], found["defer_until_utc"]) == ("defer", until)
    assert answer(row | {"scheduled_at_utc": until}, **facts)["verdict"] == "allow"
    just_before = until - timedelta(microseconds=1)
    assert answer(row | {"scheduled_at_utc": just_before}, **facts)["verdict"] != "allow"


def test_what_waiting_does_not_cure_is_a_block() -> None:
    night = naive(2026, 6, 2, 14)
    assert answer(contact(scheduled_at_utc=night), blacklist=people("c1"))["verdict"] == "block"
    # the offer will have ended, the permission will be withdrawn, when the morning comes
    ends = offer(scheduled_at_utc=naive(2026, 6, 2, 16), offer_expires_at_utc=naive(2026, 6, 2, 20))
    assert answer(ends)["verdict"] == "block"
    leaving = permissions(statement("granted", OLD), statement("withdrawn", naive(2026, 6, 2, 20)))
    assert answer(contact(scheduled_at_utc=night), permissions=leaving)["verdict"] == "block"


def test_a_candidate_does_not_count_against_itself_but_others_of_the_day_do() -> None:
    def facts(own: str) -> GateFacts:
        return free_facts(["c1"]).with_contacts(past(NOON, candidate_id=own))

    assert answer(contact(), facts("k"))["verdict"] == "allow"
    assert answer(contact(), facts("a-smaller-id"))["verdict"] == "defer"
    assert answer(contact(), facts("z-larger-id"))["verdict"] == "allow"


def test_rules_bind_by_lender_role() -> None:
    rule = next(r for r in RULEBOOK.rules if r.id == "US-CALL-CONV")
    third_only = rule.model_copy(update={"lender_roles": ["third_party"]})
    others = [r for r in RULEBOOK.rules if r.id != "US-CALL-CONV"]
    book = Rulebook.of([*others, third_only], RULEBOOK.localities)
    talked = past(WEEK[6], channel="voice", is_conversation=True)
    row = pa.Table.from_pylist([american(channel="voice")], JUDGED)

    verdicts = {
        role: judge(row, free_facts(["c1"], contacts=talked, lender_role=role), book)
        for role in ("first_party", "third_party")
    }
    assert verdicts["first_party"].column("verdict").to_pylist() == ["allow"]
    assert verdicts["third_party"].column("verdict").to_pylist() == ["defer"]


def test_a_rule_that_fails_blocks_and_the_others_still_speak(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from paymentor_assets.compliance import judgement, predicates

    def broken(bit: int, rule: Any) -> predicates.Clause:
        clause = predicates.compile_clause(bit, rule)
        if rule.id != "HOUSE-FRAUD":
            return clause
        return predicates.Clause(
            bit, rule, clause.applies, predicates.Violation("no_such_column > 1", "'x'")
        )

    monkeypatch.setattr(judgement, "compile_clause", broken)
    found = answer(contact(address_token=None))

    assert found["verdict"] == "block"
    details = {r["id"]: r["detail"] for r in found["rules"]}
    assert set(details) == {"HOUSE-FRAUD", "HOUSE-ADDRESS"}
    assert details["HOUSE-FRAUD"].startswith("the rule could not be evaluated")


def test_the_answer_tells_what_was_read() -> None:
    found = answer(contact(), contacts=past(NOON - timedelta(days=1)))

    read = json.loads(found["facts_read"])
    assert read["local_time"] == "2026-06-02T12:00:00"
    assert read["permission"] == "granted"
    assert read["contacts"]["HOUSE-CAP/week"] == 1


def test_candidates_the_gate_cannot_know_are_refused() -> None:
    rows = pa.Table.from_pylist([contact(), contact()], JUDGED)
    with pytest.raises(GateError, match="not unique"):
        judge(rows, free_facts(["c1"]), RULEBOOK)
    with pytest.raises(GateError, match="lack the columns"):
        judge(rows.drop_columns(["channel"]), free_facts(["c1"]), RULEBOOK)


def test_no_candidates_no_verdicts() -> None:
    empty = JUDGED.empty_table()
    assert judge(empty, free_facts(["c1"]), RULEBOOK).num_rows == 0
    assert evaluate(empty, free_facts(["c1"]), RULEBOOK).num_rows == 0


def test_the_order_of_candidates_and_facts_does_not_matter() -> None:
    rows = [
        contact(candidate_id=f"k{i}", channel=CHANNELS[i % 4], scheduled_at_utc=NOON + i * MORNING)
        for i in range(-3, 9)
    ]
    facts = free_facts(["c1"], contacts=past(*WEEK))
    turned = free_facts(["c1"], contacts=past(*reversed(WEEK)))

    first = evaluate(pa.Table.from_pylist(rows, JUDGED), facts, RULEBOOK)
    second = evaluate(pa.Table.from_pylist(rows[::-1], JUDGED), turned, RULEBOOK)
    assert first.equals(second)
