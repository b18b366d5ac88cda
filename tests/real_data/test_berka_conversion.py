"""The landing files hold the rows of the source tables, no more and no fewer.

The source side of every comparison is read here with gzip and csv alone.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from resources.landing_zone import LocalLandingZone
from tests.real_data import berka
from tests.real_data.berka import Landing
from tests.real_data.berka_source import FILES

#: One worker writes the landing zone, not each.

#: The one loan of status C whose last instalment fell due before the end of the contract.
RUNNING_BUT_PAID = "loan-5782"
CREDITS = {"PRIJEM", "credit"}


def source_rows(directory: Path, table: str) -> list[dict[str, str]]:
    with gzip.open(directory / FILES[table], "rt", encoding="ascii", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def source_transactions(directory: Path) -> dict[str, dict[str, str]]:
    both = source_rows(directory, "trans_first_15_months") + source_rows(
        directory, "trans_before_loans"
    )
    return {row["trans_id"]: row for row in both}


def written_lines(landing: Landing, feed: str) -> list[dict[str, object]]:
    return [
        json.loads(line) for path in landing.files[feed] for line in path.read_text().splitlines()
    ]


def written_rows(landing: Landing, feed: str) -> list[dict[str, str]]:
    return [
        row for path in landing.files[feed] for row in csv.DictReader(path.read_text().splitlines())
    ]


@pytest.mark.parametrize("feed", berka.FEEDS)
def test_the_stated_row_counts_are_those_of_the_files(berka_landing: Landing, feed: str) -> None:
    is_csv = berka.FEEDS[feed] == "csv"
    lines = sum(len(path.read_text().splitlines()) - is_csv for path in berka_landing.files[feed])
    assert lines == berka_landing.rows[feed]


def test_every_transaction_is_in_exactly_one_payload(
    berka_source: Path, berka_landing: Landing
) -> None:
    source = source_transactions(berka_source)
    written = [
        (line["linkRefNumber"], transaction)
        for line in written_lines(berka_landing, "aa_deposits")
        for transaction in line["account"]["transactions"]["transaction"]  # type: ignore[index]
    ]
    assert len(source) == 79_302
    assert Counter(t["txnId"] for _, t in written) == Counter(source.keys())
    for account, transaction in written:
        row = source[transaction["txnId"]]
        day = row["date"]
        assert account == f"account-{row['account_id']}"
        assert transaction["type"] == ("CREDIT" if row["type"] in CREDITS else "DEBIT")
        assert Decimal(transaction["amount"]) == Decimal(row["amount"])
        assert Decimal(transaction["transactionalBalance"]) == Decimal(row["balance"])
        assert transaction["valueDate"] == f"19{day[:2]}-{day[2:4]}-{day[4:]}"


def test_both_spellings_of_a_code_get_the_same_narration(
    berka_source: Path, berka_landing: Landing
) -> None:
    source = source_transactions(berka_source)
    narrations: dict[str, set[str]] = {}
    for line in written_lines(berka_landing, "aa_deposits"):
        for transaction in line["account"]["transactions"]["transaction"]:  # type: ignore[index]
            symbol = source[transaction["txnId"]]["k_symbol"].strip()
            narrations.setdefault(symbol, set()).add(transaction["narration"])
    for czech, english in {
        "UROK": "interest credited",
        "SIPO": "household",
        "POJISTNE": "insurrance payment",
        "SLUZBY": "payment for statement",
        "SANKC. UROK": "sanction interest if negative balance",
    }.items():
        assert narrations[czech] == narrations[english] and len(narrations[czech]) == 1


def test_every_account_with_transactions_has_a_consent_older_than_them(
    berka_source: Path, berka_landing: Landing
) -> None:
    first: dict[str, str] = {}
    for row in source_transactions(berka_source).values():
        first[row["account_id"]] = min(first.get(row["account_id"], "999999"), row["date"])
    consents = {
        str(line["consentId"]): line for line in written_lines(berka_landing, "aa_consents")
    }
    renewed = sum(day < "940601" for day in first.values())
    assert len(consents) == berka_landing.rows["aa_consents"] == len(first) + renewed
    for account, day in first.items():
        detail = consents[f"consent-{account}"]["ConsentDetail"]
        assert detail["consentStart"] == f"19{day[:2]}-{day[2:4]}-{day[4:]}T00:00:00.000Z"  # type: ignore[index]
        assert detail["Purpose"]["code"] == "104"  # type: ignore[index]
        assert consents[f"consent-{account}"]["status"] == "ACTIVE"


def test_every_loan_is_in_the_last_snapshot_with_its_own_terms(
    berka_source: Path, berka_landing: Landing
) -> None:
    loans = {f"loan-{row['loan_id']}": row for row in source_rows(berka_source, "loan")}
    last = [
        row for row in written_rows(berka_landing, "portfolio")
        if row["snapshot_date"] == "1998-12-31"
    ]  # fmt: skip
    assert len(last) == len(loans) == 682
    for row in last:
        loan = loans.pop(row["account_id"])
        assert Decimal(row["principal_amount"]) == Decimal(loan["amount"])
        assert Decimal(row["emi_amount"]) == Decimal(loan["payments"])
        assert row["tenor_months"] == loan["duration"]
        assert (int(row["days_past_due"]) > 0) == (loan["status"] in "BD")
        is_paid = loan["status"] == "A" or row["account_id"] == RUNNING_BUT_PAID
        assert (row["account_status"] == "closed") == is_paid
        assert (Decimal(row["outstanding_amount"]) == 0) == is_paid
    assert not loans


def test_a_snapshot_holds_each_loan_granted_by_then_once(
    berka_source: Path, berka_landing: Landing
) -> None:
    granted = [row["date"] for row in source_rows(berka_source, "loan")]
    by_day = Counter(row["snapshot_date"] for row in written_rows(berka_landing, "portfolio"))
    assert len(by_day) == 39 + 27
    for day, rows in by_day.items():
        assert date.fromisoformat(day).weekday() == 3
        assert rows == sum(g <= day.replace("-", "")[2:] for g in granted), day


def test_instalments_observed_in_the_source_are_payments_and_obey_the_schedule(
    berka_source: Path, berka_landing: Landing
) -> None:
    loans = {row["account_id"]: row for row in source_rows(berka_source, "loan")}
    source = [
        row for row in source_transactions(berka_source).values() if row["k_symbol"] == "UVER"
    ]
    payments = {row["payment_id"]: row for row in written_rows(berka_landing, "payments")}
    assert len(source) == 123
    for row in source:
        loan = loans[row["account_id"]]
        payment = payments[f"trans-{row['trans_id']}"]
        assert payment["account_id"] == f"loan-{loan['loan_id']}"
        assert Decimal(payment["amount"]) == Decimal(row["amount"])
        assert payment["value_date"].replace("-", "")[2:] == row["date"]
        assert row["date"].endswith("12") and row["date"] > loan["date"]
        assert abs(Decimal(row["amount"]) - Decimal(loan["payments"])) < 1
    stated = [p for p in payments.values() if p["payment_id"].startswith("stated-")]
    assert len(payments) == 123 + len(stated)
    assert {p["value_date"][:7] for p in stated} == {
        "1994-04", *(f"1998-{month:02d}" for month in range(1, 13))
    }  # fmt: skip


def test_birth_numbers_say_sex_and_year(berka_source: Path, berka_landing: Landing) -> None:
    clients = {row["client_id"]: row["birth_number"] for row in source_rows(berka_source, "client")}
    for row in written_rows(berka_landing, "portfolio")[-682:]:
        number = clients[row["customer_id"].removeprefix("client-")]
        assert row["birth_year"] == f"19{number[:2]}"
        assert row["full_name"].startswith("Pani " if int(number[2:4]) > 12 else "Pan ")


def test_every_file_has_a_name_the_landing_zone_can_read(
    berka_home: Path, berka_landing: Landing
) -> None:
    listed = LocalLandingZone(berka_home / "landing").list()
    assert len(listed) == sum(len(paths) for paths in berka_landing.files.values())
    assert not [f.name_error for f in listed if f.name_error]
    assert all(f.delivered_at_utc is not None for f in listed)


def test_absent_data_is_a_skip_on_a_laptop_and_a_failure_in_ci(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYMENTOR_REAL_DATA", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="PAYMENTOR_REAL_DATA"):
        berka.source_directory()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="missing: account"):
        berka.source_directory()
