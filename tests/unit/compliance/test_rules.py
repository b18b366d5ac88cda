"""Every rule of the shipped rulebook: what violates it and, one step away, what does not."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from paymentor_assets.compliance import facts as shapes
from paymentor_assets.compliance.candidate import JUDGED
from paymentor_assets.compliance.facts import GateFacts
from paymentor_assets.compliance.gate import evaluate, judge
from paymentor_assets.compliance.rules import Rulebook
from resources.errors import GateError
from tests.support.planning_world import CHANNELS, free_facts

RULEBOOK = Rulebook.load()
Row = dict[str, Any]


def naive(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC).replace(tzinfo=None)  # type: ignore[arg-type,misc]


def contact(**changes: object) -> Row:
    """A lawful collections SMS at noon in Mumbai."""
    return {
        "candidate_id": "k",
        "candidate_kind": "contact",
        "account_id": "a1",
        "customer_id": "c1",
        "purpose": "collections",
        "channel": "sms",
        "scheduled_at_utc": naive(2026, 6, 2, 6, 30),
        "time_zone": "Asia/Kolkata",
        "country": "IN",
        "state": "MH",
        "locality": "elsewhere",
        "address_token": "t1",
        "amount_due": Decimal("100.00"),
        "offer_amount": None,
        "offer_annual_rate": None,
        "offer_tenor_months": None,
        "offer_emi": None,
        "offer_expires_at_utc": None,
    } | changes


def american(state: str = "TX", zone: str = "America/New_York", **changes: object) -> Row:
    """The same at noon in New York (16:00 UTC in summer)."""
    place = {"country": "US", "state": state, "time_zone": zone}
    return contact(**({"scheduled_at_utc": naive(2026, 6, 2, 16)} | place | changes))


def offer(**changes: object) -> Row:
    """A lawful offer by SMS at noon in Mumbai."""
    terms = {
        "candidate_kind": "offer",
        "purpose": "marketing",
        "account_id": None,
        "amount_due": None,
        "offer_amount": Decimal("100000.00"),
        "offer_annual_rate": 0.12,
        "offer_tenor_months": 12,
        "offer_emi": Decimal("8884.88"),
        "offer_expires_at_utc": naive(2026, 6, 16),
    }
    return contact(**(terms | changes))


def past(*instants: datetime, **changes: object) -> pa.Table:
    """Connected outbound SMS contacts about the debt."""
    rows = [
        {
            "customer_id": "c1",
            "account_id": "a1",
            "channel": "sms",
            "purpose": "collections",
            "contacted_at_utc": instant,
            "is_outbound": True,
            "is_connected": True,
            "is_conversation": False,
            "candidate_id": None,
        }
        | changes
        for instant in instants
    ]
    return pa.Table.from_pylist(rows, shapes.CONTACTS)


def statement(status: str, at: datetime, purpose: str = "collections") -> Row:
    return {
        "customer_id": "c1",
        "channel": "sms",
        "purpose": purpose,
        "status": status,
        "effective_at_utc": at,
    }


def permissions(*rows: Row) -> pa.Table:
    return pa.Table.from_pylist(list(rows), shapes.PERMISSIONS)


def dnd(registry: str, categories: str, phone: str = "t1") -> pa.Table:
    row = {"phone_token": phone, "registry": registry, "categories": categories}
    return pa.Table.from_pylist([row], shapes.DND)


def people(*ids: str) -> pa.Table:
    return pa.table({"customer_id": list(ids)}, shapes.CUSTOMERS)


def stop(**changes: object) -> pa.Table:
    row = {
        "customer_id": "c1",
        "channel": "sms",
        "purpose": "*",
        "effective_at_utc": naive(2026, 6, 1),
    }
    return pa.Table.from_pylist([row | changes], shapes.SUPPRESSIONS)


def answer(row: Row, facts: GateFacts | None = None, **changes: object) -> Row:
    """The gate's full answer on one candidate."""
    facts = facts or free_facts(["c1"], **changes)
    (found,) = evaluate(pa.Table.from_pylist([row], JUDGED), facts, RULEBOOK).to_pylist()
    return dict(found) | {"rules": json.loads(found["violated_rules"])}


def ids(row: Row, **changes: object) -> set[str]:
    return {rule["id"] for rule in answer(row, **changes)["rules"]}


NOON = naive(2026, 6, 2, 6, 30)
MORNING = timedelta(hours=-2)
OLD = naive(2026, 3, 1)
#: Seven calls on seven days up to and with the day of the candidate, in New York.
WEEK = [naive(2026, 6, 2, 15) - timedelta(days=d) for d in range(7)]

# What is judged, the facts beside it, the rules that must be violated (and no others).
CASES: list[tuple[str, Row, dict[str, object], set[str]]] = [
    ("a lawful contact", contact(), {}, set()),
    ("a lawful american contact", american(), {}, set()),
    ("a lawful offer", offer(), {}, set()),
    ("kill switch on", contact(), {"kill_switch": True}, {"KILL-SWITCH"}),
    ("kill switch unknown", contact(), {"kill_switch": None}, {"KILL-SWITCH"}),
    ("no address", contact(address_token=None), {}, {"HOUSE-ADDRESS"}),
    ("empty address", contact(address_token=""), {}, {"HOUSE-ADDRESS"}),
    ("unknown country", contact(country="FR"), {}, {"HOUSE-JURISDICTION"}),
    ("no country", contact(country=None), {}, {"HOUSE-JURISDICTION"}),
    ("no state", contact(state=None), {}, {"HOUSE-JURISDICTION"}),
    ("state of the other country", contact(state="WY"), {}, {"HOUSE-JURISDICTION"}),
    # permissions
    ("no statement", contact(), {"permissions": permissions()}, {"HOUSE-PERMISSION"}),
    (
        "for another purpose only",
        contact(),
        {"permissions": permissions(statement("granted", OLD, "marketing"))},
        {"HOUSE-PERMISSION"},
    ),
    (
        "withdrawn in India",
        contact(),
        {"permissions": permissions(statement("withdrawn", OLD))},
        {"HOUSE-PERMISSION", "IN-DPDP"},
    ),
    (
        "withdrawn in America",
        american(),
        {"permissions": permissions(statement("withdrawn", OLD))},
        {"HOUSE-PERMISSION", "US-MEDIUM"},
    ),
    (
        "granted again later",
        contact(),
        {
            "permissions": permissions(
                statement("withdrawn", OLD), statement("granted", OLD + timedelta(days=1))
            )
        },
        set(),
    ),
    (
        "both at one instant: the withdrawal counts",
        contact(),
        {"permissions": permissions(statement("withdrawn", OLD), statement("granted", OLD))},
        {"HOUSE-PERMISSION", "IN-DPDP"},
    ),
    (
        "withdrawn after the send instant",
        contact(),
        {
            "permissions": permissions(
                statement("granted", OLD), statement("withdrawn", NOON + timedelta(seconds=1))
            )
        },
        set(),
    ),
    # suppressions, registries, lists
    ("stop on the channel", contact(), {"suppressions": stop()}, {"HOUSE-SUPPRESSION"}),
    ("stop everywhere", contact(), {"suppressions": stop(channel="*")}, {"HOUSE-SUPPRESSION"}),
    ("stop on e-mail only", contact(), {"suppressions": stop(channel="email")}, set()),
    ("stop for marketing only", contact(), {"suppressions": stop(purpose="marketing")}, set()),
    ("stop of somebody else", contact(), {"suppressions": stop(customer_id="c2")}, set()),
    ("blacklisted", contact(), {"blacklist": people("c1")}, {"HOUSE-BLACKLIST"}),
    ("somebody else blacklisted", contact(), {"blacklist": people("c2")}, set()),
    ("fraud reported", contact(), {"fraud": people("c1")}, {"HOUSE-FRAUD"}),
    ("fraud of somebody else", contact(), {"fraud": people("c2")}, set()),
    ("DND all, offer", offer(), {"dnd": dnd("NCPR", "0")}, {"IN-DND"}),
    ("DND banking, offer", offer(), {"dnd": dnd("NCPR", "3;1")}, {"IN-DND"}),
    ("DND tourism, offer", offer(), {"dnd": dnd("NCPR", "7")}, set()),
    ("DND of another number", offer(), {"dnd": dnd("NCPR", "0", "t2")}, set()),
    ("DND does not bind collections", contact(), {"dnd": dnd("NCPR", "0")}, set()),
    ("DND does not bind e-mail", offer(channel="email"), {"dnd": dnd("NCPR", "0")}, set()),
    (
        "US registry, offer",
        offer(**{k: american()[k] for k in ("country", "state", "time_zone", "scheduled_at_utc")}),
        {"dnd": dnd("US_DNC", "0")},
        {"US-DNC"},
    ),
    ("US registry, collections", american(), {"dnd": dnd("US_DNC", "0")}, set()),
    # hours in India: 08:00 is 02:30 UTC, 19:00 is 13:30 UTC
    ("07:59 in India", contact(scheduled_at_utc=naive(2026, 6, 2, 2, 29)), {}, {"IN-HOURS"}),
    ("08:00 in India", contact(scheduled_at_utc=naive(2026, 6, 2, 2, 30)), {}, set()),
    ("19:00 in India", contact(scheduled_at_utc=naive(2026, 6, 2, 13, 30)), {}, set()),
    (
        "one microsecond after 19:00",
        contact(scheduled_at_utc=naive(2026, 6, 2, 13, 30, 0, 1)),
        {},
        {"IN-HOURS"},
    ),
    (
        "20:00 in India before the rule",
        contact(scheduled_at_utc=naive(2022, 8, 11, 14, 30)),
        {"permissions": permissions(statement("granted", naive(2020, 1, 1)))},
        set(),
    ),
    (
        "20:00 in India on its first day",
        contact(scheduled_at_utc=naive(2022, 8, 12, 14, 30)),
        {"permissions": permissions(statement("granted", naive(2020, 1, 1)))},
        {"IN-HOURS"},
    ),
    (
        "offer at 09:59 in India",
        offer(scheduled_at_utc=naive(2026, 6, 2, 4, 29)),
        {},
        {"IN-DND"},
    ),
    ("offer at 20:00 in India", offer(scheduled_at_utc=naive(2026, 6, 2, 14, 30)), {}, set()),
    # hours in America, before and after the clocks change (8 March 2026)
    (
        "07:59 EST, the day before",
        american(scheduled_at_utc=naive(2026, 3, 7, 12, 59)),
        {},
        {"US-HOURS"},
    ),
    ("08:00 EST, the day before", american(scheduled_at_utc=naive(2026, 3, 7, 13)), {}, set()),
    (
        "07:59 EDT, on the day",
        american(scheduled_at_utc=naive(2026, 3, 8, 11, 59)),
        {},
        {"US-HOURS"},
    ),
    ("08:00 EDT, on the day", american(scheduled_at_utc=naive(2026, 3, 8, 12)), {}, set()),
    ("21:00 EDT", american(scheduled_at_utc=naive(2026, 6, 3, 1)), {}, set()),
    ("21:01 EDT", american(scheduled_at_utc=naive(2026, 6, 3, 1, 1)), {}, {"US-HOURS"}),
    (
        "07:30 in Washington: the state allows, the federal rule does not",
        american("WA", "America/Los_Angeles", scheduled_at_utc=naive(2026, 6, 2, 14, 30)),
        {},
        {"US-HOURS"},
    ),
    (
        "07:29 in Washington",
        american("WA", "America/Los_Angeles", scheduled_at_utc=naive(2026, 6, 2, 14, 29)),
        {},
        {"US-HOURS", "WA-3"},
    ),
    (
        "07:59 by SMS in Massachusetts",
        american("MA", scheduled_at_utc=naive(2026, 6, 2, 11, 59)),
        {},
        {"US-HOURS", "MA-2x7"},
    ),
    (
        "07:59 by e-mail in Florida, exempt there since May 2025",
        american("FL", channel="email", scheduled_at_utc=naive(2026, 6, 2, 11, 59)),
        {},
        {"US-HOURS"},
    ),
    (
        "20:30 offer in Florida",
        offer(
            country="US",
            state="FL",
            time_zone="America/New_York",
            scheduled_at_utc=naive(2026, 6, 3, 0, 30),
        ),
        {},
        {"FL"},
    ),
    # caps
    ("contacted this morning", contact(), {"contacts": past(NOON + MORNING)}, {"HOUSE-CAP"}),
    ("contacted yesterday", contact(), {"contacts": past(NOON - timedelta(days=1))}, set()),
    (
        "a minute past the person's midnight",
        contact(),
        {"contacts": past(naive(2026, 6, 1, 18, 31))},
        {"HOUSE-CAP"},
    ),
    (
        "a minute before the person's midnight",
        contact(),
        {"contacts": past(naive(2026, 6, 1, 18, 29))},
        set(),
    ),
    (
        "they wrote to us this morning",
        contact(),
        {"contacts": past(NOON + MORNING, is_outbound=False)},
        set(),
    ),
    (
        "three in the last six days",
        contact(),
        {"contacts": past(*(NOON - timedelta(days=d) for d in (1, 2, 6)))},
        set(),
    ),
    (
        "four in the last six days",
        contact(),
        {"contacts": past(*(NOON - timedelta(days=d) for d in (1, 2, 3, 6)))},
        {"HOUSE-CAP"},
    ),
    (
        "the fourth was seven days ago",
        contact(),
        {"contacts": past(*(NOON - timedelta(days=d) for d in (1, 2, 3, 7)))},
        set(),
    ),
    (
        "seven calls about the debt in seven days",
        american(channel="voice"),
        {"contacts": past(*WEEK, channel="voice")},
        {"US-CALL-7x7", "HOUSE-CAP"},
    ),
    (
        "seven calls, about another debt",
        american(channel="voice"),
        {"contacts": past(*WEEK, channel="voice", account_id="a2")},
        {"HOUSE-CAP"},
    ),
    (
        "seven calls that never connected",
        american(channel="voice"),
        {"contacts": past(*WEEK, channel="voice", is_connected=False)},
        {"HOUSE-CAP"},
    ),
    (
        "six calls in seven days",
        american(channel="voice"),
        {"contacts": past(*WEEK[1:], channel="voice")},
        {"HOUSE-CAP"},
    ),
    (
        "a conversation six days ago",
        american(channel="voice"),
        {"contacts": past(WEEK[6], channel="voice", is_conversation=True, is_outbound=False)},
        {"US-CALL-CONV"},
    ),
    (
        "a conversation seven days ago",
        american(channel="voice"),
        {"contacts": past(WEEK[6] - timedelta(days=1), channel="voice", is_conversation=True)},
        set(),
    ),
    (
        "a conversation does not forbid an SMS",
        american(),
        {"contacts": past(WEEK[6], channel="voice", is_conversation=True)},
        set(),
    ),
    (
        "two texts in Massachusetts",
        american("MA"),
        {"contacts": past(WEEK[1], WEEK[6])},
        {"MA-2x7"},
    ),
    ("one text in Massachusetts", american("MA"), {"contacts": past(WEEK[6])}, set()),
    (
        "two e-mails in Massachusetts",
        american("MA"),
        {"contacts": past(WEEK[1], WEEK[6], channel="email")},
        set(),
    ),
    (
        "three contacts in Washington",
        american("WA"),
        {"contacts": past(*WEEK[1:4], channel="email")},
        {"WA-3"},
    ),
    ("two contacts in Washington", american("WA"), {"contacts": past(*WEEK[1:3])}, set()),
    # New York City's rule begins on 1 September 2026
    *(
        (
            f"three contacts in New York, {day:%d %B}, {locality}",
            american("NY", locality=locality, scheduled_at_utc=day),
            {"contacts": past(*(day - timedelta(days=d) for d in (1, 2, 3)))},
            expected,
        )
        for day, locality, expected in (
            (naive(2026, 8, 31, 16), "NYC", set[str]()),
            (naive(2026, 9, 1, 16), "NYC", {"NYC-3x7"}),
            (naive(2026, 9, 1, 16), None, {"NYC-3x7"}),
            (naive(2026, 9, 1, 16), "elsewhere", set[str]()),
            # 03:30 UTC on the 1st is still the 31st of August there
            (naive(2026, 9, 1, 0, 30), "NYC", set[str]()),
        )
    ),
    # the leap day counts as a day
    (
        "four contacts in the week over 29 February 2028",
        contact(scheduled_at_utc=naive(2028, 3, 2, 6, 30)),
        {
            "contacts": past(
                *(naive(2028, m, d, 6, 30) for m, d in ((2, 25), (2, 28), (2, 29), (3, 1)))
            )
        },
        {"HOUSE-CAP"},
    ),
    (
        "the oldest of them a day earlier",
        contact(scheduled_at_utc=naive(2028, 3, 2, 6, 30)),
        {
            "contacts": past(
                *(naive(2028, m, d, 6, 30) for m, d in ((2, 24), (2, 28), (2, 29), (3, 1)))
            )
        },
        set(),
    ),
    # amounts and terms
    ("nothing due", contact(amount_due=Decimal("0.00")), {}, {"HOUSE-AMOUNT"}),
    ("amount unknown", contact(amount_due=None), {}, {"HOUSE-AMOUNT"}),
    ("offer expires at the send instant", offer(offer_expires_at_utc=NOON), {}, {"HOUSE-OFFER"}),
    (
        "offer expires a second later",
        offer(offer_expires_at_utc=NOON + timedelta(seconds=1)),
        {},
        set(),
    ),
    ("offer without expiry", offer(offer_expires_at_utc=None), {}, {"HOUSE-OFFER"}),
    ("offer at 36 %", offer(offer_annual_rate=0.36), {}, set()),
    ("offer above 36 %", offer(offer_annual_rate=0.3601), {}, {"HOUSE-OFFER"}),
    (
        "offer that repays less than it lends",
        offer(offer_emi=Decimal("8333.00")),
        {},
        {"HOUSE-OFFER"},
    ),
    ("offer without tenor", offer(offer_tenor_months=None), {}, {"HOUSE-OFFER"}),
]


@pytest.mark.parametrize(
    ("row", "facts", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_rule(row: Row, facts: dict[str, object], expected: set[str]) -> None:
    assert ids(row, **facts) == expected


def test_every_clause_is_violated_by_some_case() -> None:
    violated: set[tuple[str, str, int]] = set()
    for _, row, facts, _ in CASES:
        violated |= {(r["id"], r["clause"], r["version"]) for r in answer(row, **facts)["rules"]}
    before_may_2025 = american("FL", scheduled_at_utc=naive(2025, 5, 1, 11))
    exempt_after = american("FL", scheduled_at_utc=naive(2025, 6, 1, 11))
    early_offer = offer(
        country="US", state="TX", time_zone="America/New_York",
        scheduled_at_utc=naive(2026, 6, 2, 11),
    )  # fmt: skip
    old = {"permissions": permissions(*(statement("granted", naive(2020, 1, 1), p)
                                        for p in ("collections", "marketing")))}  # fmt: skip
    for row in (before_may_2025, exempt_after, early_offer):
        violated |= {(r["id"], r["clause"], r["version"]) for r in answer(row, **old)["rules"]}

    assert violated == {(rule.id, rule.clause, rule.version) for rule in RULEBOOK.rules}


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
