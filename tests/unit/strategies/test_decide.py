"""A day decided without a lakehouse: candidates, treatments, gate, actions, determinism."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from paymentor_assets.compliance.facts import CUSTOMERS, GateFacts
from paymentor_assets.compliance.rules import Rulebook
from paymentor_assets.engagement.rendering import required_variables, template_ids
from paymentor_assets.lenders import Lender
from paymentor_assets.offers.policy import load_policy
from paymentor_assets.strategies.candidates import daypart, locality_sql, slot_instants
from paymentor_assets.strategies.checks import check_plan
from paymentor_assets.strategies.decide import DayInputs, Decided, decide
from paymentor_assets.strategies.tables import (
    ACTIONS,
    COMPLIANCE_DECISIONS,
    GATE_COUNTS,
    OFFER_CANDIDATES,
    OFFERS,
    STRATEGIES,
)
from paymentor_assets.strategies.treatments import load_strategy
from resources.duck import connect
from resources.lakehouse import TableContract
from tests.support.planning_people import People, free_facts
from tests.support.planning_tables import CHANNELS, DAY
from tests.support.planning_world import make_lender

Row = dict[str, Any]


def _decide(
    people: People | DayInputs, facts: GateFacts | None = None, lender: Lender | None = None
) -> Decided:
    inputs = people if isinstance(people, DayInputs) else people.inputs()
    customers = sorted(set(inputs.profile.column("customer_id").to_pylist()))
    return decide(
        inputs,
        facts or free_facts(customers),
        lender=lender or make_lender(),
        day=DAY,
        rulebook=Rulebook.load(),
        strategy=load_strategy(),
        policy=load_policy(),
    )


def _rows(decided: Decided, contract: TableContract) -> list[Row]:
    return [dict(row) for row in decided.tables[contract].to_pylist()]


def test_delinquent_accounts_get_contacts_and_others_offers() -> None:
    decided = _decide(People.invent(12))

    actions = _rows(decided, ACTIONS)
    assert {a["account_id"] for a in actions if a["candidate_kind"] == "contact"} == {
        f"A{n:05d}" for n in range(12) if n % 3 != 2
    }
    offers = [a for a in actions if a["candidate_kind"] == "offer"]
    assert {a["customer_id"] for a in offers} == {f"C{n:05d}" for n in range(12) if n % 3 == 2}
    assert {a["treatment"] for a in offers} == {"credit_offer"}
    assert {o["offer_id"] for o in _rows(decided, OFFERS)} == {a["offer_id"] for a in offers}
    assert len(_rows(decided, OFFER_CANDIDATES)) == len(offers)


def test_an_answer_to_an_application_passes_the_gate_of_marketing_and_says_what_it_is() -> None:
    people = People.invent(12)
    asked = [row for row in people.profile if row["customer_id"] in ("C00002", "C00005")]
    for row, purposes in zip(asked, ("103", None), strict=True):
        row.update(
            applied_product="auto_loan",
            applied_at_utc=datetime(2026, 5, 30, tzinfo=UTC).replace(tzinfo=None),
            aa_purposes=purposes,
            fixed_obligations_monthly=Decimal(100),
        )
    free = free_facts([row["customer_id"] for row in people.profile])
    decided = _decide(people, free)

    expected = {
        "C00002": ("application", "used"), "C00005": ("application", "not_covered"),
        "C00008": ("marketing", "no_purpose"), "C00011": ("marketing", "no_purpose"),
    }  # fmt: skip
    for table in (OFFERS, OFFER_CANDIDATES):
        found = {r["customer_id"]: (r["offer_type"], r["aa_data"]) for r in _rows(decided, table)}
        assert found == expected
    purposes = {a["purpose"] for a in _rows(decided, ACTIONS) if a["candidate_kind"] == "offer"}
    assert purposes == {"marketing"}

    permitted = free.permissions.to_pylist()
    no_marketing = [
        row for row in permitted
        if (row["customer_id"], row["purpose"]) != ("C00002", "marketing")
    ]  # fmt: skip
    permissions = pa.Table.from_pylist(no_marketing, free.permissions.schema)
    left = _rows(_decide(people, replace(free, permissions=permissions)), OFFERS)
    assert {row["customer_id"] for row in left} == expected.keys() - {"C00002"}


def test_every_row_names_its_versions_and_inputs() -> None:
    decided = _decide(People.invent(9))

    for contract, table in decided.tables.items():
        assert table.num_rows > 0, contract.name
        for row in table.to_pylist():
            assert json.loads(row["input_publications"]) == ["features-1", "rankings-1"]
            assert row["strategy_version"] == load_strategy().version(load_policy())
            assert row["rulebook_version"] == Rulebook.load().version
            if contract is not GATE_COUNTS:
                assert row["model_name"] and row["model_version"]
    for row in _rows(decided, STRATEGIES):
        assert (row["experiment_id"], row["arm"], row["arm_probability"]) == (
            "none", "default", 1.0,
        )  # fmt: skip


def test_an_action_points_to_its_allow_and_the_plan_is_sound() -> None:
    decided = _decide(People.invent(20))

    verdicts = {r["compliance_decision_id"]: r for r in _rows(decided, COMPLIANCE_DECISIONS)}
    for action in _rows(decided, ACTIONS):
        decision = verdicts[action["compliance_decision_id"]]
        assert decision["verdict"] == "allow"
        assert decision["pass"] == "chosen"
        assert decision["candidate_id"] == action["candidate_id"]
    assert not any(check_plan(decided.tables, make_lender()).values())


def test_the_checks_see_an_unsound_plan() -> None:
    decided = _decide(People.invent(6))
    none_allowed = {
        **decided.tables,
        COMPLIANCE_DECISIONS: COMPLIANCE_DECISIONS.schema.empty_table(),
    }
    twice = decided.tables[STRATEGIES]
    doubled = {**decided.tables, STRATEGIES: pa.concat_tables([twice, twice])}
    small = make_lender(
        channels={c: {"daily_capacity": 0, "cost": {"INR": "1", "USD": "1"}} for c in CHANNELS}
    )

    assert check_plan(none_allowed, make_lender())["every_action_is_allowed"]
    assert check_plan(doubled, make_lender())["one_contact_a_customer"]
    assert check_plan(decided.tables, small)["capacity_is_respected"]


def test_the_order_of_input_rows_changes_nothing() -> None:
    people = People.invent(15)
    straight = _decide(people)
    turned = People(
        *(random.Random(5).sample(rows, len(rows)) for rows in
          (people.profile, people.accounts, people.rankings, people.preferences))
    )  # fmt: skip

    for contract, table in _decide(turned).tables.items():
        assert table.equals(straight.tables[contract]), contract.name


def test_blocked_people_get_nothing_and_their_best_candidate_is_on_record() -> None:
    people = People.invent(6)
    customers = [row["customer_id"] for row in people.profile]
    facts = free_facts(customers, blacklist=pa.table({"customer_id": ["C00000"]}, CUSTOMERS))

    decided = _decide(people, facts)

    assert "C00000" not in {a["customer_id"] for a in _rows(decided, ACTIONS)}
    (record,) = [r for r in _rows(decided, COMPLIANCE_DECISIONS) if r["customer_id"] == "C00000"]
    assert (record["pass"], record["verdict"]) == ("mask", "block")
    assert [r["id"] for r in json.loads(record["violated_rules"])] == ["HOUSE-BLACKLIST"]
    counts = {
        (r["pass"], r["rule_id"], r["verdict"]): r["candidates"]
        for r in _rows(decided, GATE_COUNTS)
    }
    # four channels, four slots
    assert counts["mask", "HOUSE-BLACKLIST", "block"] == 16
    assert counts["mask", "ALL", "block"] == 16


def test_the_kill_switch_stops_everything() -> None:
    people = People.invent(6)
    facts = free_facts([row["customer_id"] for row in people.profile], kill_switch=True)

    decided = _decide(people, facts)

    assert decided.tables[ACTIONS].num_rows == decided.tables[OFFERS].num_rows == 0
    assert decided.candidates > 0


def test_the_second_gate_drops_what_the_days_own_choices_exceed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two accounts of one person, both chosen: the second one falls out and is not replaced."""
    from paymentor_assets.strategies import decide as module
    from paymentor_assets.strategies.allocation import Allocation

    people = People.invent(1)
    twin = dict(people.accounts[0], account_id="A-twin")
    people.accounts.append(twin)
    people.rankings.append(dict(people.rankings[0], account_id="A-twin"))

    def choose_two(candidates: pa.Table, *_more: object) -> Allocation:
        rows = [r for r in candidates.to_pylist() if (r["channel"], r["slot"]) == ("sms", "12:00")]
        assert len(rows) == 2
        return Allocation(sorted(r["candidate_id"] for r in rows), [])

    monkeypatch.setattr(module, "allocate", choose_two)
    decided = _decide(people)

    assert len(_rows(decided, STRATEGIES)) == 2
    (action,) = _rows(decided, ACTIONS)
    (dropped,) = [
        r for r in _rows(decided, COMPLIANCE_DECISIONS)
        if r["pass"] == "chosen" and r["verdict"] != "allow"
    ]  # fmt: skip
    assert dropped["candidate_id"] != action["candidate_id"]
    assert dropped["verdict"] == "defer"
    assert [r["id"] for r in json.loads(dropped["violated_rules"])] == ["HOUSE-CAP"]


def test_no_address_no_candidate() -> None:
    people = People.invent(1)
    people.profile[0]["phone_token"] = None

    decided = _decide(people)

    assert decided.candidates == 4
    assert {a["channel"] for a in _rows(decided, ACTIONS)} == {"email"}


@pytest.mark.parametrize(
    ("late", "broken", "treatment"),
    [
        (1, 0, "reminder"), (15, 3, "reminder"), (16, 0, "firm_reminder"), (30, 0, "firm_reminder"),
        (31, 1, "payment_plan"), (31, 2, "hardship"), (90, 0, "payment_plan"), (91, 0, "hardship"),
    ],
)  # fmt: skip
def test_treatment_follows_the_arrears(late: int, broken: int, treatment: str) -> None:
    from tests.support.planning_people import bucket_of

    people = People()
    people.add(
        0, days_past_due=late, bucket=bucket_of(late), promises_broken_180d=broken,
        overdue_amount=Decimal("1000.00"),
    )  # fmt: skip

    (action,) = _rows(_decide(people), ACTIONS)

    assert action["treatment"] == treatment
    assert action["template_id"] == f"{treatment}.{action['channel']}"


def test_every_treatment_has_templates_and_carries_their_variables() -> None:
    strategy = load_strategy()
    wanted = {entry.treatment for entry in strategy.treatments} | {"credit_offer"}
    assert {f"{t}.{c}" for t in wanted for c in CHANNELS} <= set(template_ids())

    actions = _rows(_decide(People.invent(60)), ACTIONS)
    assert {a["treatment"] for a in actions} == wanted
    for action in actions:
        payload = json.loads(action["payload"])
        for variable in required_variables(action["template_id"]):
            assert payload[variable] is not None, (action["template_id"], variable)


def test_expected_value_is_recovery_times_hearing_times_uplift() -> None:
    people = People()
    people.add(0, days_past_due=5, bucket="1-30", overdue_amount=Decimal("500.00"))
    people.rankings[0]["expected_recovery"] = Decimal("1000.00")
    people.preferences = [p for p in people.preferences if p["channel"] == "email"]
    people.preferences[0] |= {
        "p_engage": 0.3, "p_morning": 0.1, "p_midday": None, "p_afternoon": 0.2, "p_evening": 0.2,
    }  # fmt: skip

    (chosen,) = _rows(_decide(people), STRATEGIES)

    # 12:00 has no estimate of its own, so the day's 0.3 counts: 1000 x 0.3 x 0.20
    assert chosen["slot"] == "12:00"
    assert chosen["expected_value"] == Decimal("60.00")
    assert chosen["scheduled_at_utc"] == datetime(2026, 6, 2, 6, 30, tzinfo=UTC).replace(
        tzinfo=None
    )


def test_slots_shift_over_a_gap_and_come_after_the_cutoff() -> None:
    lender = make_lender(slots=["02:30", "09:00"])
    # D+1 is 8 March 2026, when New York's clocks go forward at two.
    table = slot_instants(lender, date(2026, 3, 7), ["America/New_York", "Nowhere/Land", None])
    rows = {row["slot"]: row["scheduled_at_utc"] for row in table.to_pylist()}
    assert rows["02:30"] == datetime(2026, 3, 8, 7, 30, tzinfo=UTC).replace(tzinfo=None)

    # 09:00 in Auckland is 02:30 in India, before the day closes there at 06:00.
    assert slot_instants(lender, date(2026, 6, 1), ["Pacific/Auckland"]).num_rows == 0
    assert [daypart(time(h)) for h in (0, 10, 11, 13, 14, 16, 17, 23)] == [
        "morning", "morning", "midday", "midday", "afternoon", "afternoon", "evening", "evening",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("state", "city", "postal", "expected"),
    [
        ("NY", "Brooklyn", None, "NYC"),
        ("NY", " New York ", "10001", "NYC"),
        ("NY", None, "11201", "NYC"),
        ("NY", "Buffalo", "14201", "elsewhere"),
        ("NY", None, None, None),
        ("TX", "New York", "75001", "elsewhere"),
    ],
)
def test_new_york_city_is_recognised(
    state: str, city: str | None, postal: str | None, expected: str | None
) -> None:
    sql = locality_sql(Rulebook.load().localities)
    with connect() as con:
        found = con.execute(
            f"SELECT {sql} FROM (SELECT 'US' AS country, ? AS state, CAST(? AS VARCHAR) AS city, "
            "CAST(? AS VARCHAR) AS postal_code)",
            [state, city, postal],
        ).fetchone()
    assert found == (expected,)


def test_versions_change_with_what_they_stand_for() -> None:
    strategy, policy = load_strategy(), load_policy()
    dearer = replace_share(strategy)
    marketing = policy.types.marketing.model_copy(update={"applied_within_days": 9})
    stricter = policy.model_copy(
        update={"types": policy.types.model_copy(update={"marketing": marketing})}
    )

    versions = {s.version(p) for s in (strategy, dearer) for p in (policy, stricter)}
    assert len(versions) == 4


def replace_share(strategy: Any) -> Any:
    return strategy.model_copy(update={"offer_capacity_share": 0.5})


def test_people_of_an_empty_day_make_an_empty_plan() -> None:
    inputs = People().inputs()
    decided = _decide(replace(inputs, publications=["features-1"]), free_facts([]))

    assert decided.candidates == 0
    assert all(table.num_rows == 0 for table in decided.tables.values())
