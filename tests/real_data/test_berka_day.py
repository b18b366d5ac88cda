"""The whole daily path on the Berka bank: from its tables to a day on which nothing may leave.

What runs is what `paymentor` runs: the same functions over the same jobs. The lender's last day is
1998-12-31; the model learns from the weeks before it. The Czech Republic has no rulebook, so every
contact must be blocked for exactly that reason, although everybody gave permission.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import func, select

from paymentor_assets.audit.publications import require
from paymentor_assets.commands import run_day
from paymentor_assets.commands.jobs import Jobs
from paymentor_assets.deployment import Deployment
from paymentor_assets.lenders import Lender
from paymentor_assets.models import registry as approvals
from paymentor_assets.models.families import customer_ranking
from paymentor_assets.settings import Settings
from resources.operational_schema import actions, deliveries, dispatch_verdicts
from tests.real_data import berka_expected as expected
from tests.real_data.berka import LENDER_ID, Landing

DAY = date(1998, 12, 31)
#: The last day of the first transaction file, when instalments are observed, not inferred.
OBSERVED_DAY = date(1994, 3, 31)
#: Days to learn from: their outcomes are known by DAY, and the gap before the last fifth of them
#: is as long as the longest horizon.
LEARNING_DAYS = [OBSERVED_DAY, *(DAY - timedelta(days=7 * week) for week in range(1, 17))]
NO_LAW = "HOUSE-JURISDICTION"


@dataclass(frozen=True)
class Bank:
    """The bank after its day, and the source it came from."""

    deployment: Deployment
    lender: Lender
    source: Path
    landing: Landing

    def rows(self, stage: str, name: str, day: date | None = None) -> list[dict[str, Any]]:
        """Published rows of one table, of one day when a day is given."""
        lake = self.deployment.lakehouse
        publication = require(lake, stage, LENDER_ID, day)
        lender = "_lender_id" if name.startswith("raw.") else "lender_id"
        if name in ("raw.ingested_files", "raw.rejected_rows"):
            lender = "lender_id"
        wanted = f"{lender} = '{LENDER_ID}'"
        if day is not None:
            wanted += f" and as_of_date = '{day.isoformat()}'"
        if name not in publication.tables:
            return []  # no row was ever committed to it
        rows: pa.Table = lake.scan(name, publication.table(name).snapshot_id, wanted)
        return rows.to_pylist()


@pytest.fixture(scope="module")
def bank(berka_source: Path, berka_home: Path, berka_landing: Landing) -> Iterator[Bank]:
    """Ingest, features of the past, train, approve, plan the day, carry it out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAYMENTOR_ENV", "test")
        patch.setenv("PAYMENTOR_HOME", str(berka_home))
        patch.setenv("DAGSTER_HOME", str(berka_home / "dagster"))
        patch.setenv("PAYMENTOR_TRAINER", "trainer")
        deployment = Deployment(Settings.load())
        lender = deployment.lenders[LENDER_ID]
        jobs = Jobs(deployment)
        run_day.begin_time(deployment, lender, DAY)
        run_day.ingest(deployment, jobs, lender)
        jobs.run(
            "features_history",
            day=max(LEARNING_DAYS),
            config={
                "ops": {"features": {"config": {"as_of_dates": sorted(map(str, LEARNING_DAYS))}}}
            },
        )
        jobs.run("training_extract")
        jobs.run_development("train_customer_ranking")
        approvals.approve(
            deployment.lakehouse,
            deployment.registry,
            deployment.store,
            family=customer_ranking.FAMILY,
            actor="approver",
            reason="The test of the Berka bank reads what this model says.",
            despite=(
                "Instalments fall on the same days of every month, so the last weeks show another "
                "rate of payment than those learned from, and calibration fails."
            ),
            clock=deployment.clock,
        )
        run_day.plan(jobs, lender, DAY)
        run_day.carry_out(jobs, lender, DAY)
        yield Bank(deployment, lender, berka_source, berka_landing)
        deployment.lakehouse.catalog.close()
        deployment.close()
        jobs.instance.dispose()


# --- nothing lost


def test_every_row_of_every_file_is_accepted_or_rejected(bank: Bank) -> None:
    delivered = dict(bank.landing.rows)
    # A line is one account with its transactions.
    delivered["aa_deposits"] += 79_302
    files = bank.rows("ingestion", "raw.ingested_files")
    assert {f["status"] for f in files} == {"ingested"}
    assert len(files) == sum(map(len, bank.landing.files.values()))
    for feed, rows in delivered.items():
        of_feed = [f for f in files if f["feed"] == feed]
        assert len(of_feed) == len(bank.landing.files[feed])
        assert sum(f["rows_total"] for f in of_feed) == rows
        assert sum(f["rows_accepted"] + f["rows_rejected"] for f in of_feed) == rows
    assert bank.rows("ingestion", "raw.rejected_rows") == []


@pytest.mark.parametrize(
    ("table", "feed"),
    [
        ("raw.portfolio_accounts", "portfolio"),
        ("raw.payments", "payments"),
        ("raw.contact_permissions", "contact_permissions"),
        ("raw.aa_consents", "aa_consents"),
        ("raw.aa_accounts", "aa_deposits"),
        ("raw.blacklist", "blacklist"),
        ("raw.fraud_reports", "fraud_reports"),
    ],
)
def test_the_rows_of_a_feed_are_in_its_table(bank: Bank, table: str, feed: str) -> None:
    assert len(bank.rows("ingestion", table)) == bank.landing.rows[feed]


def test_the_transactions_of_the_source_are_the_transactions_of_the_lakehouse(bank: Bank) -> None:
    source = [t for own in expected.transactions(bank.source).values() for t in own]
    raw = bank.rows("ingestion", "raw.aa_transactions")
    assert len(raw) == len(source) == 79_302

    def totals(
        pairs: list[tuple[bool, Decimal, Decimal]],
    ) -> dict[bool, tuple[int, Decimal, Decimal]]:
        return {
            side: (
                sum(1 for s, *_ in pairs if s is side),
                sum((a for s, a, _ in pairs if s is side), Decimal(0)),
                sum((b for s, _, b in pairs if s is side), Decimal(0)),
            )
            for side in (True, False)
        }

    assert totals(
        [(r["direction"] == "CREDIT", r["amount"], r["balance_after"]) for r in raw]
    ) == totals([(t.is_credit, t.amount, t.balance) for t in source])


def test_no_name_phone_or_email_is_in_the_raw_tables(bank: Bank) -> None:
    for table in ("raw.portfolio_accounts", "raw.aa_accounts", "raw.aa_consents"):
        text = json.dumps(bank.rows("ingestion", table)[:200], default=str)
        for secret in ("Zkusebni", "+420", "berka.example", "@berka-aa"):
            assert secret not in text, (table, secret)


# --- features that were computed by hand

# Loan 6748 of account 8645 at 1998-12-31. The account's transactions in the last 90 days
# (1998-10-03 to 1998-12-31), credits with a plus, balance in brackets for the last 30 days:
#   10-05 -8919.00   10-07 -4200.00   10-14 -4800.00   10-14 +16929.00   10-16 +2900.00
#   10-31   +71.20   10-31   -14.60   10-31   +90.30
#   11-05 -8919.00   11-11 -4500.00   11-14 +16929.00  11-15 -1800.00
#   11-30  +105.80   11-30   -14.60   11-30  +105.80   12-05 -8919.00 (19813.80)
# In 37131.10, out 42086.20. Granted on 12-08, first instalment of 4015 due and paid on 12-12.
#
# Loan 4967 of account 37 at 1998-12-31, status D. In the last 90 days:
#   10-04 -2100.00   10-06 -3200.00   10-07 -97.00   10-08 -2317.00   10-09 -2584.00
#   10-12 -11200.00
# In nothing, out 21498.00, nothing in the last 30 days. Granted on 10-14; the instalments of
# 5308 due on 11-12 and 12-12 are unpaid: 50 days, counting the day it fell due.
#
# Loan 5314 of account 1787 at 1994-03-31, status B. In the last 90 days (from 1994-01-01):
#   01-12 +5871.00   01-13 +33412.00   01-15 +28572.00   01-16 -35400.00   01-31 +226.00
#   02-15 -16200.00  02-23 +42057.00   02-28 +260.90     02-28 -30.00
#   03-01 -3400.00   03-12 -8033.20 (71910.60)   03-17 -24500.00 (47410.60)
#   03-26 -8100.00 (39310.60)   03-27 +40719.00 (80029.60)   03-31 +288.00 (80317.60)
#   03-31 -30.00 (80287.60)
# In 151405.90, out 95693.20. Granted on 1993-07-05, due on the 12th from 1993-07 on: nine
# instalments of 8033 due, one paid on 1994-03-12 (8033.20), which settles the oldest. The
# next oldest has been unpaid since 1993-08-12: 232 days.
BY_HAND: dict[tuple[str, date], dict[str, Any]] = {
    ("loan-6748", DAY): {
        "monthly_inflow_mean": Decimal("12377.03"),
        "monthly_outflow_mean": Decimal("14028.73"),
        "savings_rate": -0.133449,
        "min_balance_30d": Decimal("19813.80"),
        # SIPO 3 x 8919 as household, and the cash withdrawals.
        "spend_share_rent": round(26757.00 / 42086.20, 6),
        "spend_share_cash": round(15300.00 / 42086.20, 6),
        # The bank's charge for statements.
        "spend_share_fee": round(29.20 / 42086.20, 6),
        "spend_share_other": 0.0,
        "fixed_obligations_monthly": Decimal("8919.00"),
        "inflow_30d": Decimal("0.00"),
        "outflow_30d": Decimal("8919.00"),
        "bounce_count_90d": 0,
        "aa_purposes": "104",
        "emi_amount": Decimal("4015.00"),
        "outstanding_amount": Decimal("236885.00"),
        "overdue_amount": Decimal("0.00"),
        "days_past_due": 0,
        "bucket": "current",
        "emis_overdue": 0,
        "is_delinquent": False,
        "payments_30d": 1,
        "paid_amount_30d": Decimal("4015.00"),
        "payments_180d": 1,
        "days_since_last_payment": 19,
        "months_on_book": 0,
        "max_days_past_due": 0,
        # One instalment, on the 12th, the day it fell due.
        "payments_on_due_date_30d": 1,
        "payment_delay_mean_180d": 0.0,
        "payment_size_180d": 1.0,
        "preferred_payment_day_180d": 12,
        "npa_since_date": None,
    },
    ("loan-4967", DAY): {
        "monthly_inflow_mean": Decimal("0.00"),
        "monthly_outflow_mean": Decimal("7166.00"),
        "savings_rate": None,
        "min_balance_30d": None,
        "spend_share_rent": round(2317.00 / 21498.00, 6),
        "spend_share_cash": round(16500.00 / 21498.00, 6),
        "emi_amount": Decimal("5308.00"),
        "outstanding_amount": Decimal("318480.00"),
        "overdue_amount": Decimal("10616.00"),
        "days_past_due": 50,
        "bucket": "31-60",
        "sma_class": "SMA-1",
        "emis_overdue": 2,
        "is_delinquent": True,
        "payments_30d": 0,
        "payments_180d": 0,
        "days_since_last_payment": None,
        "months_on_book": 2,
        "max_days_past_due": 50,
        # Snapshots are weekly: of 1998-12-01 the newest was that of 11-26.
        "days_past_due_30d_ago": 15,
        "days_past_due_7d_ago": 43,
        "worst_sma_class_180d": "SMA-1",
        "payment_delay_mean_180d": None,
    },
    ("loan-5314", OBSERVED_DAY): {
        "monthly_inflow_mean": Decimal("50468.63"),
        "monthly_outflow_mean": Decimal("31897.73"),
        "savings_rate": 0.367969,
        "min_balance_30d": Decimal("39310.60"),
        "spend_share_emi": round(8033.20 / 95693.20, 6),
        "spend_share_rent": round(3400.00 / 95693.20, 6),
        "spend_share_cash": round(84200.00 / 95693.20, 6),
        "emi_amount": Decimal("8033.00"),
        "outstanding_amount": Decimal("88362.80"),
        "overdue_amount": Decimal("64264.00"),
        "days_past_due": 232,
        "bucket": "90+",
        "sma_class": "NPA",
        "emis_overdue": 8,
        "is_delinquent": True,
        "payments_30d": 1,
        "paid_amount_30d": Decimal("8033.20"),
        "payments_180d": 1,
        "days_since_last_payment": 19,
        "months_on_book": 8,
        # The week before the payment of 1994-03-12 was settled against the oldest instalment:
        # on 1994-03-10 it was unpaid since 1993-07-12.
        "max_dpd_30d": 242,
        "days_delinquent_90d": 13,
        # So the payment came 243 days after the due date it was for.
        "payments_late_30d": 1,
        "payment_delay_mean_180d": 243.0,
        "payment_size_180d": round(8033.20 / 8033, 6),
        "prepaid_amount_180d": Decimal("0.00"),
        "days_past_due_30d_ago": 228,
        # The first Thursday, day of the snapshot, on which the 91st day was over: 1993-10-10 + 4.
        "npa_since_date": date(1993, 10, 14),
        "npa_episodes": 1,
    },
}


@pytest.mark.parametrize(("account", "day"), BY_HAND, ids=[account for account, _ in BY_HAND])
def test_features_are_those_computed_by_hand(bank: Bank, account: str, day: date) -> None:
    (own,) = [
        row for row in bank.rows("features", "features.account_features", day)
        if row["account_id"] == account
    ]  # fmt: skip
    (person,) = [
        row for row in bank.rows("features", "features.customer_profile", day)
        if row["customer_id"] == own["customer_id"]
    ]  # fmt: skip
    found = person | own
    by_hand = BY_HAND[account, day]
    assert {name: found[name] for name in by_hand} == by_hand


@pytest.mark.parametrize("day", [DAY, OBSERVED_DAY], ids=str)
def test_cash_flow_of_every_customer_is_that_of_the_source(bank: Bank, day: date) -> None:
    accounts = {client: account for account, client in expected.owners(bank.source).items()}
    history = expected.transactions(bank.source)
    compared = 0
    for person in bank.rows("features", "features.customer_profile", day):
        account = accounts[person["customer_id"].removeprefix("client-")]
        wanted = expected.cashflow(history.get(account, []), day)
        names = list(expected.Cashflow.__dataclass_fields__)
        found = {name: person[name] for name in names}
        assert found == (dict.fromkeys(names) if wanted is None else vars(wanted)), account
        compared += wanted is not None
    assert compared == {DAY: 59, OBSERVED_DAY: 38}[day]


# --- every loan is ranked


def test_every_open_loan_is_ranked_once_and_no_other(bank: Bank) -> None:
    ranked = bank.rows("rankings", "decisions.customer_rankings", DAY)
    # Finished and paid: status A, and one running loan whose last instalment is paid.
    is_open = [
        loan for loan in expected.loans(bank.source)
        if loan.status != "A" and loan.loan != "5782"
    ]  # fmt: skip
    assert len(is_open) == 478
    assert sorted(r["account_id"] for r in ranked) == sorted(f"loan-{x.loan}" for x in is_open)
    assert sorted(r["rank"] for r in ranked) == list(range(1, 479))
    for row in ranked:
        assert 0 <= row["p_pay_7d"] <= 1 and 0 <= row["p_pay_30d"] <= 1
        assert row["currency"] == "CZK" and row["model_artefact_sha256"]


def test_loans_that_turned_bad_rank_as_riskier(bank: Bank) -> None:
    status = {f"loan-{x.loan}": x.status for x in expected.loans(bank.source)}
    ranked = bank.rows("rankings", "decisions.customer_rankings", DAY)
    probability = {
        group: fmean(r["p_pay_30d"] for r in ranked if status[r["account_id"]] == group)
        for group in "BCD"
    }
    assert probability["B"] < probability["C"]
    assert probability["D"] < probability["C"]
    assert {r["account_id"] for r in ranked if r["is_delinquent"]} == {
        r["account_id"] for r in ranked if status[r["account_id"]] in "BD"
    }


# --- nothing leaves


def test_without_a_law_every_candidate_is_blocked_for_that(bank: Bank) -> None:
    counts = bank.rows("decisions", "decisions.gate_counts", DAY)
    judged = {c["verdict"]: c["candidates"] for c in counts if c["rule_id"] == "ALL"}
    without_law = sum(c["candidates"] for c in counts if c["rule_id"] == NO_LAW)
    # At least every delinquent loan on every channel.
    assert judged["block"] >= 76 * 4
    assert without_law == judged["block"]
    assert not judged.get("allow") and not judged.get("defer")
    for decision in bank.rows("decisions", "decisions.compliance_decisions", DAY):
        assert decision["verdict"] == "block"
        assert NO_LAW in {rule["id"] for rule in json.loads(decision["violated_rules"])}


@pytest.mark.parametrize("table", ["strategies", "actions", "offers"])
def test_nothing_is_planned(bank: Bank, table: str) -> None:
    assert bank.rows("decisions", f"decisions.{table}", DAY) == []


def test_nothing_is_queued_sent_or_written_to_the_outbox(bank: Bank) -> None:
    with bank.deployment.store.read() as connection:
        for table in (actions, deliveries, dispatch_verdicts):
            assert connection.execute(select(func.count()).select_from(table)).scalar() == 0
    outbox = bank.deployment.settings.outbox_dir
    assert [path for path in outbox.rglob("*") if path.is_file()] == []
