"""The feeds tell one story: recomputed from the files alone."""

import json
from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.parquet as pq
import pytest

from simulator import hidden
from simulator.calendar import day_number
from simulator.loans import Loans, position
from tests.unit.simulator.conftest import CUSTOMERS, DAYS, FIRST_DAY, LAST_DAY, Home

Snapshot = dict[str, str]


@pytest.fixture(scope="module")
def portfolio(clean: Home) -> dict[tuple[str, str], Snapshot]:
    """Snapshots by (account, day)."""
    return {(row["account_id"], row["snapshot_date"]): row for row in clean.rows("portfolio")}


@pytest.fixture(scope="module")
def paid(clean: Home) -> dict[str, list[tuple[str, Decimal]]]:
    """Successful payments by account."""
    result = defaultdict(list)
    for row in clean.rows("payments"):
        if row["status"] == "success":
            result[row["account_id"]].append((row["value_date"], Decimal(row["amount"])))
    return result


def test_arrears_follow_from_schedule_and_payments(
    clean: Home,
    portfolio: dict[tuple[str, str], Snapshot],
    paid: dict[str, list[tuple[str, Decimal]]],
) -> None:
    """Overdue today = overdue yesterday + instalments fallen due - payments, while in arrears."""
    loans = Loans.from_table(
        pq.read_table(hidden.root(clean.path, "meridian") / "accounts.parquet")
    )
    first, last = day_number(FIRST_DAY), day_number(LAST_DAY)
    checked = 0
    for account in range(len(loans)):
        name = f"A{account + 1:07d}"
        start = portfolio.get((name, FIRST_DAY.isoformat()))
        if start is None or start["overdue_amount"] == "0.00":
            continue
        one = Loans.from_table(loans.table().slice(account, 1))
        due = int(position(one, np.array([0]), first).due_count[0]) * int(one.emi[0])
        before = due - _cents(start["overdue_amount"])
        for day in range(first, last + 1, 9):
            today = (date(1970, 1, 1) + timedelta(days=day)).isoformat()
            row = portfolio[(name, today)]
            later = sum(_cents(m) for d, m in paid[name] if FIRST_DAY.isoformat() < d <= today)
            now = position(one, np.array([before + later]), day)
            assert _cents(row["overdue_amount"]) == now.overdue[0]
            assert int(row["days_past_due"]) == now.days_past_due[0]
            assert int(row["emis_overdue"]) == (
                now.due_count[0] - now.paid_count[0] if now.overdue[0] else 0
            )
            checked += 1
    assert checked > 40


def _cents(amount: str | Decimal) -> int:
    return int(Decimal(amount) * 100)


def test_days_past_due_count_from_the_oldest_unpaid_due_date(
    portfolio: dict[tuple[str, str], Snapshot],
) -> None:
    for row in portfolio.values():
        if row["oldest_unpaid_due_date"]:
            oldest = date.fromisoformat(row["oldest_unpaid_due_date"])
            inclusive = (date.fromisoformat(row["snapshot_date"]) - oldest).days + 1
            assert int(row["days_past_due"]) == inclusive > 0
            assert Decimal(row["overdue_amount"]) > 0
        else:
            assert (row["days_past_due"], row["overdue_amount"]) == ("0", "0.00")


def test_the_share_of_late_accounts_is_realistic(
    portfolio: dict[tuple[str, str], Snapshot],
) -> None:
    late, all_rows = 0, 0
    for row in portfolio.values():
        late += row["days_past_due"] != "0"
        all_rows += 1
    assert 0.06 < late / all_rows < 0.22


def test_own_tradelines_repeat_the_portfolio(
    clean: Home, portfolio: dict[tuple[str, str], Snapshot]
) -> None:
    snapshots = defaultdict(set)
    for row in portfolio.values():
        snapshots[row["customer_id"], row["snapshot_date"]].add(
            (row["opened_date"], row["outstanding_amount"], row["overdue_amount"])
        )
    own = defaultdict(set)
    for line in clean.rows("bureau_tradelines"):
        if line["is_own_account"] == "true":
            own[line["customer_id"], line["report_date"]].add(
                (line["opened_date"], line["current_balance"], line["overdue_amount"])
            )
    dates = {report for _, report in own}
    assert len(dates) == 3
    seen = 0
    for (customer, report), lines in snapshots.items():
        if report in dates:
            # A bureau also remembers loans that the portfolio no longer shows.
            assert lines <= own[customer, report]
            seen += 1
    assert seen > 300


def test_bureau_history_is_the_real_month_end_history(
    clean: Home, portfolio: dict[tuple[str, str], Snapshot]
) -> None:
    """A report of June shows, first, the digit of 31 May."""
    checked = 0
    for line in clean.rows("bureau_tradelines"):
        if line["is_own_account"] != "true" or line["report_date"][:7] != "2026-06":
            continue
        matches = [
            row
            for (_, day), row in portfolio.items()
            if day == "2026-05-31"
            and row["customer_id"] == line["customer_id"]
            and row["opened_date"] == line["opened_date"]
            and row["emi_amount"] == line["emi_amount"]
            and row["account_status"] == "open"
        ]
        if len(matches) == 1:
            late = min(int(matches[0]["days_past_due"]) // 30, 6)
            assert line["payment_history"][0] == str(late)
            checked += 1
        assert len(line["payment_history"]) == 24
    assert checked > 100


def test_bank_statements_add_up_from_fetch_to_fetch(clean: Home) -> None:
    balances: dict[str, Decimal] = {}
    ids = set()
    for document in clean.documents("aa_deposits"):
        account = document["account"]
        assert isinstance(account, dict)
        link = str(document["linkRefNumber"])
        summary = Decimal(account["summary"]["currentBalance"])
        entries = account.get("transactions", {}).get("transaction", [])
        balance = balances.get(link)
        moments = [entry["transactionTimestamp"] for entry in entries]
        assert moments == sorted(moments)
        for entry in entries:
            amount = Decimal(entry["amount"]) * (1 if entry["type"] == "CREDIT" else -1)
            if balance is not None:
                assert Decimal(entry["transactionalBalance"]) == balance + amount
            balance = Decimal(entry["transactionalBalance"])
            assert balance >= 0
            assert (link, entry["txnId"]) not in ids
            ids.add((link, entry["txnId"]))
        if entries:
            assert balance is not None
            assert summary == balance
            balances[link] = balance
    assert len(ids) > 1_000


def test_repayments_in_bank_statements_are_payments(clean: Home) -> None:
    payments = {
        (row["customer_id"], row["value_date"], row["amount"])
        for row in clean.rows("payments")
        if row["status"] == "success"
    }
    seen = 0
    for document in clean.documents("aa_deposits"):
        account = document["account"]
        assert isinstance(account, dict)
        for entry in account.get("transactions", {}).get("transaction", []):
            inside = entry["valueDate"] >= FIRST_DAY.isoformat()
            if "MERIDIAN" in entry["narration"] and inside:
                assert (document["customerId"], entry["valueDate"], entry["amount"]) in payments
                seen += 1
    assert seen > 20


def test_deposits_come_under_a_consent_that_was_delivered_before(clean: Home) -> None:
    known: dict[str, str] = {}
    for path in clean.files("aa_consents"):
        for line in path.read_text().splitlines():
            known.setdefault(json.loads(line)["consentId"], path.name.split("_")[-1])
    for path in clean.files("aa_deposits"):
        for line in path.read_text().splitlines():
            assert known[json.loads(line)["consentId"]] < path.name.split("_")[-1]


def test_a_consent_never_takes_up_a_status_again(clean: Home) -> None:
    seen = defaultdict(list)
    for document in clean.documents("aa_consents"):
        seen[document["consentId"]].append(document["status"])
    assert any(len(statuses) > 1 for statuses in seen.values())
    for statuses in seen.values():
        assert statuses[0] == "ACTIVE"
        assert len(set(statuses)) == len(statuses)


def test_a_consent_for_an_application_comes_with_the_application(clean: Home) -> None:
    """And some apply without one; few apply at all."""
    steps = defaultdict(list)
    for row in clean.rows("clickstream_events"):
        steps[row["session_id"]].append(row)
    sent = set()
    for session in steps.values():
        if session[-1]["event_type"] != "apply_submit":
            assert "apply_submit" not in {row["event_type"] for row in session}
            continue
        assert [row["event_type"] for row in session] == ["login", "apply_start", "apply_submit"]
        assert session[1]["product"] == session[2]["product"] != ""
        assert session[0]["occurred_at_utc"] < session[2]["occurred_at_utc"]
        sent.add((session[0]["customer_id"], session[0]["session_id"][1:9]))
    zone = ZoneInfo("Asia/Kolkata")
    consented = set()
    for document in clean.documents("aa_consents"):
        detail = document["ConsentDetail"]
        assert isinstance(detail, dict)
        given = datetime.fromisoformat(str(document["createTimestamp"])).astimezone(zone).date()
        if detail["Purpose"]["code"] == "103" and given >= FIRST_DAY:
            consented.add((document["customerId"], f"{given:%Y%m%d}"))
    assert consented and consented < sent
    assert 0.0005 < len(sent) / (CUSTOMERS * DAYS) < 0.005


def test_legacy_contacts_kept_local_hours_and_their_randomisation(clean: Home) -> None:
    zones = {row["customer_id"]: row["time_zone"] for row in clean.rows("portfolio")}
    random = 0
    for row in clean.rows("contact_history"):
        at = datetime.fromisoformat(row["contacted_at_utc"])
        assert 8 <= at.astimezone(ZoneInfo(zones[row["customer_id"]])).hour < 19
        if row["is_randomised"] == "true":
            assert float(row["assignment_probability"]) in {
                round(1 / (channels * 4), 6) for channels in (1, 2, 3, 4)
            }
            random += 1
        else:
            assert row["assignment_probability"] == ""
    assert random > 5


def test_nobody_in_it_is_real(clean: Home) -> None:
    for row in clean.rows("portfolio"):
        assert row["phone"].startswith("+915550") or row["phone"][5:9] == "5550"
        assert row["email"] == "" or row["email"].endswith("@example.com")
        assert row["national_id"].startswith("000-") or row["national_id"][3] == "Z"


def test_every_account_that_moves_is_in_the_portfolio(clean: Home) -> None:
    serviced = {row["account_id"] for row in clean.rows("portfolio")}
    for feed in ("payments", "contact_history"):
        assert {row["account_id"] for row in clean.rows(feed)} <= serviced
