"""Marketing and the answer to an application: who gets which, and what each may look at."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from paymentor_assets.features.purposes import aa_columns
from paymentor_assets.offers import candidates
from paymentor_assets.offers.affordability import AA_DATA, READ_FROM_PROFILE
from paymentor_assets.offers.candidates import OFFERS, OfferInputs, offer_candidates
from paymentor_assets.offers.policy import OfferPolicy, load_policy
from paymentor_assets.offers.pricing import emi
from tests.support.planning_people import People, campaign_rows
from tests.support.planning_tables import ACCOUNTS, LENDER, PROFILE

Row = dict[str, Any]
DAY = date(2026, 6, 1)
UNTIL = datetime(2026, 6, 2, 0, 30, tzinfo=UTC).replace(tzinfo=None)
YESTERDAY = UNTIL - timedelta(days=1)
POLICY = load_policy()
APPLICATION = POLICY.types.application
READ_AA = sorted(aa_columns() & set(READ_FROM_PROFILE))


def _people(count: int = 1, **profile: object) -> People:
    """Customers in good standing, Indian and American in turn, with the profile columns given."""
    people = People()
    for index in range(count):
        people.add(3 * index + 2)
    for row in people.profile:
        row.update({"income_monthly": None} | profile)
    return people


def _applicant(**profile: object) -> People:
    return _people(applied_product="auto_loan", applied_at_utc=YESTERDAY, **profile)


def _table(people: People, campaigns: list[Row] | None = None) -> pa.Table:
    tables = people.tables()
    inputs = OfferInputs(tables[PROFILE], tables[ACCOUNTS], campaign_rows(campaigns or []))
    return offer_candidates(inputs, POLICY, lender_id=LENDER, day=DAY, known_until=UNTIL)


def _offers(people: People, campaigns: list[Row] | None = None) -> list[Row]:
    return [dict(row) for row in _table(people, campaigns).to_pylist()]


def _limits(**changes: object) -> dict[str, Any]:
    plain = POLICY.model_dump(mode="json")
    for where, value in changes.items():
        name, field = where.split("__")
        plain["types"][name][field] = value
    return plain


def test_an_application_is_answered_for_its_product_and_marketing_goes_to_the_others() -> None:
    people = _people(6)
    people.profile[1].update(applied_product="auto_loan", applied_at_utc=YESTERDAY)
    people.profile[3].update(applied_product="personal_loan", applied_at_utc=YESTERDAY)
    offers = {offer["customer_id"]: offer for offer in _offers(people)}

    assert len(offers) == 6
    types = [offers[row["customer_id"]]["offer_type"] for row in people.profile]
    assert types == [
        "marketing", "application", "marketing", "application", "marketing", "marketing",
    ]  # fmt: skip
    for row in (people.profile[1], people.profile[3]):
        assert offers[row["customer_id"]]["product"] == row["applied_product"]
    assert {o["aa_data"] for o in offers.values() if o["offer_type"] == "marketing"} == {
        "no_purpose"
    }


def test_one_offer_a_customer_in_the_order_of_customers() -> None:
    people = _people(12)
    for row in people.profile[::2]:
        row.update(applied_product="auto_loan", applied_at_utc=YESTERDAY)
    customers = [offer["customer_id"] for offer in _offers(people)]
    assert customers == sorted(row["customer_id"] for row in people.profile)


@pytest.mark.parametrize(
    ("applied_at", "expected"),
    [
        (UNTIL, "application"),
        (UNTIL - timedelta(days=30) + timedelta(microseconds=1), "application"),
        (UNTIL - timedelta(days=30), "marketing"),
        (None, "marketing"),
    ],
)
def test_an_application_is_open_for_the_days_of_the_policy(
    applied_at: datetime | None, expected: str
) -> None:
    assert APPLICATION.applied_within_days == 30
    (offer,) = _offers(_people(applied_product="auto_loan", applied_at_utc=applied_at))
    assert offer["offer_type"] == expected


@pytest.mark.parametrize(
    "profile",
    [
        {"applied_product": "home_loan"},
        {"bureau_score": 699},
        {"income_monthly": Decimal("1000.00"), "aa_purposes": "103"},
    ],
    ids=["product not sold", "score too low", "not affordable on what was seen"],
)
def test_who_has_applied_gets_no_marketing_even_when_refused(profile: dict[str, object]) -> None:
    people = _applicant()
    people.profile[0].update(profile)
    assert _offers(people) == []


@pytest.mark.parametrize(
    ("purposes", "statement", "expected"),
    [
        ("103", "9000.00", "used"),
        ("102;103;104", "9000.00", "used"),
        ("103", "0.00", "used"),
        ("103", None, "no_statement"),
        ("104", "9000.00", "not_covered"),
        ("101;1030", "9000.00", "not_covered"),
        (None, "9000.00", "not_covered"),
    ],
)
def test_an_application_sees_account_aggregator_data_under_103_and_says_so(
    purposes: str | None, statement: str | None, expected: str
) -> None:
    seen = None if statement is None else Decimal(statement)
    people = _applicant(
        aa_purposes=purposes,
        fixed_obligations_monthly=seen,
        income_monthly=None if seen is None else Decimal("90000.00"),
        declared_monthly_income=Decimal("60000.00"),
    )
    (offer,) = _offers(people)
    assert offer["aa_data"] == expected
    income = 90000 if expected == "used" else 60000
    assert offer["affordability"] == pytest.approx(9000 / income, abs=1e-6)
    after = (9000 + float(offer["emi"])) / income
    assert offer["affordability_after"] == pytest.approx(after, abs=1e-5)
    assert offer["declared_monthly_income"] == 60000


def test_what_was_seen_may_lower_and_raise_what_is_offered() -> None:
    def amount(**profile: object) -> Decimal:
        (offer,) = _offers(_applicant(**profile))
        assert offer["emi"] == emi(offer["amount"], offer["annual_rate"], offer["tenor_months"])
        return Decimal(offer["amount"])

    covered = {"aa_purposes": "103", "fixed_obligations_monthly": Decimal("9000.00")}
    declared = amount(declared_monthly_income=Decimal("50000.00"))
    assert amount(**covered, income_monthly=Decimal("60000.00")) > declared
    assert amount(**covered, income_monthly=Decimal("45000.00")) < declared
    rent = covered | {"fixed_obligations_monthly": Decimal("15000.00")}
    assert amount(**rent, income_monthly=Decimal("50000.00")) < declared


def test_income_seen_stands_for_one_that_was_never_declared() -> None:
    seen = {"fixed_obligations_monthly": Decimal(0), "income_monthly": Decimal("90000.00")}
    (offer,) = _offers(_applicant(aa_purposes="103", declared_monthly_income=None, **seen))
    assert offer["declared_monthly_income"] is None
    assert _offers(_applicant(aa_purposes="104", declared_monthly_income=None, **seen)) == []


_AMOUNT = st.none() | st.integers(-(10**7), 10**9).map(lambda cents: Decimal(cents) / 100)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    st.lists(st.fixed_dictionaries(dict.fromkeys(READ_AA, _AMOUNT)), min_size=12, max_size=12),
    st.sampled_from([None, "103", "103;104", "104"]),
)
def test_no_account_aggregator_column_moves_marketing(
    changes: list[dict[str, Decimal | None]], purposes: str | None
) -> None:
    """Some have applied, everybody consents or nobody does: marketing stays bit by bit the same."""
    people = _some_applied()
    for row, change in zip(people.profile, changes, strict=True):
        row.update(change, aa_purposes=purposes)
    assert _marketing(people).equals(_marketing_of_plain_people())


def _some_applied() -> People:
    people = _people(12)
    for row in people.profile[::3]:
        row.update(applied_product="auto_loan", applied_at_utc=YESTERDAY)
    return people


@cache
def _marketing_of_plain_people() -> pa.Table:
    found = _marketing(_some_applied())
    assert found.num_rows == 8
    return found


def _marketing(people: People) -> pa.Table:
    table = _table(people)
    return table.filter([kind == "marketing" for kind in table["offer_type"].to_pylist()])


def test_the_property_moves_all_that_offers_read_of_account_aggregators() -> None:
    assert READ_AA == ["fixed_obligations_monthly", "income_monthly"]
    assert set(READ_AA) <= set(PROFILE.schema.names)


def test_a_column_newly_tagged_is_null_for_marketing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "aa_columns", lambda: frozenset({"bureau_score"}))
    assert _offers(_people(aa_purposes="103")) == []
    assert _offers(_applicant(aa_purposes="104")) == []
    assert _offers(_applicant(aa_purposes="103"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"marketing__aa_purpose": "103"}, "never for an offer that nobody asked for"),
        ({"marketing__applied_within_days": 30}, "marketing is what nobody applied for"),
        ({"application__applied_within_days": None}, "own application only"),
        ({"application__aa_purpose": "104"}, "103"),
        ({"application__applied_within_days": 0}, "greater than 0"),
    ],
)
def test_a_policy_that_would_open_the_data_to_more_is_refused(
    change: dict[str, object], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        OfferPolicy.model_validate(_limits(**change))


def test_each_type_has_its_own_limits() -> None:
    asks_around = {"enquiries_90d": POLICY.types.marketing.standing.max_enquiries_90d + 1}
    assert _offers(_people(**asks_around)) == []
    assert _offers(_applicant(**asks_around))
    too_many = {"enquiries_90d": APPLICATION.standing.max_enquiries_90d + 1}
    assert _offers(_applicant(**too_many)) == []
    late = _applicant()
    late.accounts[0]["max_dpd_180d"] = 1
    assert _offers(late) == []


def test_campaigns_teach_nothing_about_applications() -> None:
    refused = [
        {"response_id": f"R{n}", "product": "auto_loan", "response": "ignored", "is_control": False}
        for n in range(500)
    ]
    assert _offers(_applicant(), refused) == _offers(_applicant())
    (offer,) = _offers(_applicant())
    assert offer["p_accept"] == pytest.approx(APPLICATION.acceptance.prior_share)


def test_the_words_of_an_offer_are_known() -> None:
    assert OFFERS.names[-2:] == ["offer_type", "aa_data"]
    assert AA_DATA == ("no_purpose", "not_covered", "no_statement", "used")
