"""Credit offers: the price of a loan, what a customer can carry, who is offered what."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paymentor_assets.offers.candidates import OfferInputs, offer_candidates
from paymentor_assets.offers.policy import load_policy
from paymentor_assets.offers.pricing import amount_carried, amount_carried_sql, emi, emi_sql
from resources.duck import connect
from resources.errors import ContractError, UsageError
from tests.support.planning_people import People, campaign_rows
from tests.support.planning_tables import ACCOUNTS, LENDER, PROFILE

Row = dict[str, Any]
UNTIL = datetime(2026, 6, 2, 0, 30, tzinfo=UTC).replace(tzinfo=None)
POLICY = load_policy()


def _good(count: int = 1) -> People:
    """Customers in good standing (every third of the invented ones)."""
    people = People()
    for index in range(count):
        people.add(3 * index + 2)
    return people


def _offers(people: People, campaigns: list[Row] | None = None) -> list[Row]:
    tables = people.tables()
    inputs = OfferInputs(tables[PROFILE], tables[ACCOUNTS], campaign_rows(campaigns or []))
    found = offer_candidates(
        inputs, POLICY, lender_id=LENDER, day=date(2026, 6, 1), known_until=UNTIL
    )
    return [dict(row) for row in found.to_pylist()]


@pytest.mark.parametrize(
    ("amount", "rate", "months", "expected"),
    [
        # textbook values: 100,000 at 12 % over 12 months; a thirty-year mortgage; one month
        ("100000", 0.12, 12, "8884.88"),
        ("200000", 0.06, 360, "1199.10"),
        ("1000", 0.12, 1, "1010.00"),
    ],
)
def test_instalment(amount: str, rate: float, months: int, expected: str) -> None:
    assert emi(Decimal(amount), rate, months) == Decimal(expected)


def test_instalments_repay_the_loan_with_its_interest() -> None:
    rate, months = 0.135, 36
    owed = Decimal("250000")
    instalment = emi(owed, rate, months)
    for _ in range(months):
        owed = owed * (1 + Decimal(str(rate)) / 12) - instalment
    assert abs(owed) < Decimal("0.30")


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    st.integers(1_000, 5_000_000),
    st.floats(0.01, 0.36).map(lambda r: round(r, 4)),
    st.integers(1, 360),
)
def test_sql_and_python_agree_to_the_cent(amount: int, rate: float, months: int) -> None:
    with connect() as con:
        found = con.execute(
            f"SELECT {emi_sql('a', 'r', 'n')}, {amount_carried_sql('a', 'r', 'n')} "
            "FROM (SELECT CAST(? AS DECIMAL(18,2)) AS a, CAST(? AS DOUBLE) AS r, ? AS n)",
            [amount, rate, months],
        ).fetchone()
    assert found is not None
    assert abs(found[0] - emi(Decimal(amount), rate, months)) <= Decimal("0.01")
    assert found[1] == pytest.approx(float(amount_carried(Decimal(amount), rate, months)), abs=0.01)


def test_the_amount_carried_is_the_inverse_of_the_instalment() -> None:
    for amount in (Decimal("50000"), Decimal("123456.78")):
        instalment = emi(amount, 0.14, 24)
        assert abs(amount_carried(instalment, 0.14, 24) - amount) < Decimal("0.20")
    assert amount_carried(Decimal("-5"), 0.14, 24) == 0


@pytest.mark.parametrize(
    ("amount", "rate", "months"), [("0", 0.1, 1), ("1", 0.0, 1), ("1", 0.1, 0)]
)
def test_a_loan_without_substance_has_no_instalment(amount: str, rate: float, months: int) -> None:
    with pytest.raises(UsageError):
        emi(Decimal(amount), rate, months)


def test_an_offer_fits_the_declared_income() -> None:
    for offer in _offers(_good(12)):
        limit = POLICY.types.marketing.max_obligations_to_income[offer["currency"]]
        assert offer["affordability_after"] <= limit + 1e-4
        product = POLICY.products[offer["product"]]
        amounts = product.amounts[offer["currency"]]
        assert amounts.least <= offer["amount"] <= amounts.most
        assert offer["amount"] % amounts.step == 0
        assert offer["emi"] == emi(offer["amount"], offer["annual_rate"], offer["tenor_months"])
        assert offer["expires_at_utc"] > UNTIL


def test_a_better_score_pays_a_lower_rate() -> None:
    rates = {}
    for score in (700, 750, 800):
        people = _good()
        people.profile[0]["bureau_score"] = score
        (offer,) = _offers(people)
        rates[score] = offer["annual_rate"]
    assert rates[700] > rates[750] > rates[800]


_UNFIT: dict[str, dict[str, object]] = {
    "late within 180 days": {"max_dpd_180d": 1},
    "late today": {"days_past_due": 1, "is_delinquent": True},
    "history unknown": {"max_dpd_180d": None},
    "not standard": {"sma_class": "NPA"},
    "charged off": {"account_status": "charged_off"},
    "known for too short a time": {"months_on_book": 5},
    "no open account": {"account_status": "closed"},
}
_UNKNOWN: dict[str, dict[str, object]] = {
    "income unknown": {"declared_monthly_income": None},
    "no income": {"declared_monthly_income": Decimal("0.00")},
    "score unknown": {"bureau_score": None},
    "score too low": {"bureau_score": 699},
    "overdue elsewhere": {"bureau_overdue": Decimal("1.00")},
    "asks everywhere": {"enquiries_90d": 5},
    "income taken already": {"total_emi_monthly": Decimal("79000.00")},
}


@pytest.mark.parametrize("account", _UNFIT.values(), ids=_UNFIT.keys())
def test_no_offer_without_good_standing(account: dict[str, object]) -> None:
    people = _good()
    assert _offers(people)
    people.accounts[0].update(account)
    assert _offers(people) == []


@pytest.mark.parametrize("profile", _UNKNOWN.values(), ids=_UNKNOWN.keys())
def test_no_offer_on_what_is_unknown_or_not_affordable(profile: dict[str, object]) -> None:
    people = _good()
    people.profile[0].update(profile)
    assert _offers(people) == []


def test_one_late_account_spoils_the_others() -> None:
    people = _good()
    people.accounts.append(dict(people.accounts[0], account_id="A-late", max_dpd_180d=3))
    assert _offers(people) == []


def test_nobody_is_offered_what_they_already_repay() -> None:
    people = _good()
    people.accounts[0]["product"] = "auto_loan"
    assert {offer["product"] for offer in _offers(people)}.isdisjoint({"auto_loan"})


def _campaign(product: str, accepted: int, total: int, *, is_control: bool = False) -> list[Row]:
    return [
        {
            "response_id": f"{product}-{is_control}-{n}",
            "product": product,
            "response": "accepted" if n < accepted else "ignored",
            "is_control": is_control,
        }
        for n in range(total)
    ]


def test_acceptance_is_shrunk_to_the_overall_share() -> None:
    prior = POLICY.types.marketing.acceptance
    (without,) = _offers(_good())
    assert without["p_accept"] == pytest.approx(prior.prior_share)

    history = _campaign("personal_loan", 60, 100) + _campaign("auto_loan", 0, 100)
    (offer,) = _offers(_good(), history)
    overall = (60 + prior.prior_share * prior.prior_offers) / (200 + prior.prior_offers)
    expected = (60 + overall * prior.prior_offers) / (100 + prior.prior_offers)
    assert offer["product"] == "personal_loan"
    assert offer["p_accept"] == pytest.approx(expected, abs=1e-6)


def test_the_control_group_teaches_nothing_about_offers() -> None:
    control = _campaign("auto_loan", 90, 100, is_control=True)
    assert _offers(_good(), control) == _offers(_good())


def test_missing_columns_are_an_error() -> None:
    tables = _good().tables()
    inputs = OfferInputs(
        tables[PROFILE].drop_columns(["bureau_score"]), tables[ACCOUNTS], campaign_rows([])
    )
    with pytest.raises(ContractError, match="bureau_score"):
        offer_candidates(inputs, POLICY, lender_id=LENDER, day=date(2026, 6, 1), known_until=UNTIL)


def test_no_accounts_no_offers() -> None:
    assert _offers(People()) == []
    assert isinstance(campaign_rows([]), pa.Table)
