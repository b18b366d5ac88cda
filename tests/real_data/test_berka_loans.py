"""The 354 Berka loans: their features are those of the eve, and tell who will not pay."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.real_data import berka_expected as expected
from tests.real_data import berka_loans, judging
from tests.real_data.model_sets import DataSet
from tests.real_data.protocol import BERKA


@pytest.fixture(scope="module")
def data(berka_source: Path) -> DataSet:
    """Terms, cash flow and outcome; the platform builds them once."""
    return berka_loans.loans()


@pytest.fixture(scope="module")
def granted(berka_source: Path) -> dict[str, expected.Loan]:
    """The loans of the last two years by number."""
    return {
        loan.loan: loan for loan in expected.loans(berka_source) if loan.opened.year in (1997, 1998)
    }


def test_every_loan_of_the_two_years_is_there_with_its_terms_and_outcome(
    data: DataSet, granted: dict[str, expected.Loan]
) -> None:
    assert set(data.X.index) == set(granted) and len(data.X) == len(granted) == 354
    for (number, row), is_bad in zip(data.X.iterrows(), data.y, strict=True):
        loan = granted[str(number)]
        assert list(row[berka_loans.TERMS]) == [loan.amount, loan.emi, loan.duration]
        assert is_bad == (loan.status in "BD")
    assert data.y.sum() == 30


def test_cash_flow_is_that_of_the_source_on_the_eve_of_the_grant(
    data: DataSet, granted: dict[str, expected.Loan], berka_source: Path
) -> None:
    history = expected.transactions(berka_source)
    for number, row in data.X.iterrows():
        loan = granted[str(number)]
        eve = loan.opened - timedelta(days=1)
        own = history[loan.account]
        wanted = expected.cashflow(own, eve)
        assert wanted is not None
        mean, volatility = expected.daily_balance(own, eve)
        amounts = {
            "inflow_to_emi": wanted.monthly_inflow_mean,
            "min_balance_to_emi": wanted.min_balance_30d,
            "min_balance_90d_to_emi": wanted.min_balance_90d,
            "mean_balance_to_emi": mean,
        }
        for name, amount in amounts.items():
            assert amount is not None
            assert row[name] * float(loan.emi) == pytest.approx(float(amount), abs=0.006), name
        assert row["savings_rate"] == wanted.savings_rate
        found = row["balance_volatility_180d"]
        # The platform squares balances in whole units.
        assert (
            found != found if volatility is None else found == pytest.approx(volatility, rel=1e-3)
        )


def test_the_shipped_fit_ranks_bad_loans_by_their_cash_flow(data: DataSet) -> None:
    result = BERKA.run(1)
    assert not judging.failures(BERKA, result, slack=BERKA.fold_slack)
