"""A lake of raw tables made by SQL: what ingestion would have written for a large lender.

Its own short cut past the simulator, which writes files and would take hours for a million
customers. Sizes follow the customer: 6 tradelines with 24 months of history, 60 bank transactions,
10 engagement events, 7 payments, 4 contacts, 3 clicks each, and eight portfolio snapshots. Of what
the pandas peer reads, one row in fifty comes again: corrected before the cut-off, corrected after
it, or twice in one night.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path

import pyarrow.parquet as pq

from paymentor_assets.audit.publications import RunInfo, publish_heads
from paymentor_assets.engagement.tables import EVENTS
from paymentor_assets.ingestion.contracts.tables import raw_tables
from paymentor_assets.lenders import Lender
from resources.clock import FixedClock
from resources.duck import connect
from resources.lakehouse import Lakehouse, TableContract
from resources.warehouse import source_columns

DAY = date(2026, 6, 30)
LENDER = Lender.model_validate(
    {
        "lender_id": "bench",
        "name": "Benchmark",
        "role": "first_party",
        "zone": "Asia/Kolkata",
        "daily_cutoff": time(6).isoformat(),
        "feeds": ["portfolio", "payments"],
        "required_feeds": [],
        "latest_by": time(9).isoformat(),
        "currencies": ["INR"],
        "slots": ["10:00:00"],
        "channels": {"email": {"daily_capacity": 1, "cost": {"INR": "0.1"}}},
    }
)
RUN = RunInfo("bench", "bench", FixedClock(datetime(2026, 7, 1, 2, tzinfo=UTC)))

#: Tables of which some rows come again, a little different.
_CORRECTED = {
    "raw.portfolio_accounts",
    "raw.payments",
    "raw.aa_consents",
    "raw.aa_accounts",
    "raw.aa_transactions",
}
#: Columns that every raw table has, over `i` (the row), `v` (0, or 1 when it comes again) and
#: `later` (how long after the first time; nothing for some).
_COMMON = {
    "_file_id": "'file-' || v || '-' || (i % 30)",
    "_row_number": "i",
    "_known_at": "TIMESTAMP '2026-06-30 20:00:00' + later",
    "_ingested_at": "TIMESTAMP '2026-06-30 20:00:00' + later",
    "_lender_id": "'bench'",
    "lender_id": "'bench'",
    "customer_id": "'C' || c",
    "account_id": "'A' || c",
    "currency": "'INR'",
}
_SNAPSHOT = (
    "[DATE '2026-06-30', DATE '2026-06-02', DATE '2026-05-31', DATE '2026-05-03', "
    "DATE '2026-04-03', DATE '2026-03-04', DATE '2026-02-02', DATE '2026-01-03'][1 + k]"
)
_PAID = "(DATE '2026-06-05' - CAST(k % 6 * 30 + h % 3 AS INTEGER))"
#: One customer in twenty has a short history, of many transactions a day.
_MOVED = "(DATE '2026-06-28' - CAST(CASE WHEN c % 20 = 0 THEN k % 15 ELSE k * 3 END AS INTEGER))"
#: Rows a customer, and columns over `c` (the customer), `k` (0, 1, … a customer), `h`, a hash in 0
#: to 9,999 that stands for chance, and those of `_COMMON`.
_TABLES: dict[str, tuple[int, dict[str, str]]] = {
    "raw.portfolio_accounts": (
        8,
        {
            "snapshot_date": _SNAPSHOT,
            "_known_at": f"{_SNAPSHOT} + INTERVAL 1 DAY + later",
            "phone_token": "'ph1_' || c",
            "email_token": "'em1_' || c",
            "national_id_token": "'id1_' || c",
            "birth_year": "1960 + c % 45",
            "country": "'IN'",
            "state": "['MH', 'KA', 'TN', 'DL'][1 + c % 4]",
            "postal_code": "CAST(400000 + c % 90000 AS VARCHAR)",
            "time_zone": "'Asia/Kolkata'",
            "language": "'en'",
            "employment_type": "['salaried', 'self_employed'][1 + c % 2]",
            "declared_monthly_income": "20000 + c % 80000",
            "product": "['personal_loan', 'two_wheeler'][1 + c % 2]",
            "opened_date": "DATE '2023-01-01' + CAST(c % 1000 AS INTEGER)",
            "principal_amount": "50000 + c % 500000",
            "outstanding_amount": "10000 + c % 40000",
            "overdue_amount": "CASE WHEN c % 7 = 0 THEN 1500 + v ELSE 0 END",
            "emi_amount": "1000 + c % 9000 + v * 10",
            "next_due_date": f"{_SNAPSHOT} + CAST(1 + c % 5 + v AS INTEGER)",
            "oldest_unpaid_due_date": f"CASE WHEN c % 14 = 0 THEN {_SNAPSHOT} - 25 END",
            "emis_overdue": "CASE WHEN c % 7 = 0 THEN 1 ELSE 0 END",
            "days_past_due": "CASE WHEN c % 7 = 0 THEN 20 ELSE 0 END",
            "annual_rate": "0.18",
            "tenor_months": "36",
            "account_status": "'open'",
        },
    ),
    "raw.payments": (
        7,
        {
            "payment_id": "'P' || i",
            "value_date": _PAID,
            "paid_at_utc": f"{_PAID} + INTERVAL 8 HOUR",
            "_known_at": f"{_PAID} + INTERVAL 1 DAY + later",
            "amount": "1000 + c % 9000 + h % 5 * 100 + v",
            "method": "['upi', 'card', 'nach'][1 + h % 3]",
            "status": "CASE WHEN h < 500 THEN 'bounced' ELSE 'success' END",
        },
    ),
    "raw.contact_history": (
        4,
        {
            "contact_id": "'H' || i",
            "channel": "['sms', 'email', 'voice', 'whatsapp'][1 + h % 4]",
            "direction": "'outbound'",
            "contacted_at_utc": "TIMESTAMP '2026-06-28 06:00:00' - k * INTERVAL 20 DAY",
            "outcome": "CASE WHEN h < 2000 THEN 'right_party_contact' ELSE 'no_answer' END",
            "is_randomised": "h < 1000",
        },
    ),
    "raw.bureau_reports": (
        1,
        {
            "report_id": "'R' || c",
            "bureau": "'cibil'",
            "report_date": "DATE '2026-06-15'",
            "score": "500 + CAST(h % 350 AS INTEGER)",
        },
    ),
    "raw.bureau_tradelines": (
        6,
        {
            "report_id": "'R' || c",
            "tradeline_id": "'T' || i",
            "report_date": "DATE '2026-06-15'",
            "product": "['personal_loan', 'credit_card', 'auto_loan', 'gold_loan'][1 + h % 4]",
            "is_own_account": "k = 0",
            "opened_date": "DATE '2020-01-01' + CAST(h % 2000 AS INTEGER)",
            "sanctioned_amount": "10000 + h * 10",
            "current_balance": "h * 5",
            "overdue_amount": "CASE WHEN h < 800 THEN 900 ELSE 0 END",
            "emi_amount": "500 + h % 4000",
            "credit_limit": "CASE WHEN h % 4 = 1 THEN 10000 + h * 10 END",
            "payment_history": "repeat(CASE WHEN h < 800 THEN '030' ELSE '000' END, 24)",
        },
    ),
    "raw.bureau_enquiries": (
        2,
        {
            "enquiry_id": "'E' || i",
            "report_id": "'R' || c",
            "report_date": "DATE '2026-06-15'",
            "enquiry_date": "DATE '2026-06-10' - CAST(h % 300 AS INTEGER)",
            "product": "['personal_loan', 'credit_card'][1 + h % 2]",
            "amount": "10000 + h",
        },
    ),
    "raw.aa_consents": (
        3,
        {
            "consent_id": "CASE WHEN k < 2 THEN 'K' ELSE 'J' END || c",
            "status": "CASE WHEN k = 1 THEN CASE c % 50 WHEN 0 THEN 'REVOKED' WHEN 1 THEN 'PAUSED' "
            "ELSE 'ACTIVE' END ELSE 'ACTIVE' END",
            "created_at_utc": "TIMESTAMP '2026-01-01 00:00:00' + k * INTERVAL 90 DAY",
            "consent_start_utc": "TIMESTAMP '2026-01-01 00:00:00'",
            "consent_expiry_utc": "TIMESTAMP '2026-06-20 00:00:00' + h % 20 * INTERVAL 9 DAY",
            "consent_mode": "'STORE'",
            "fetch_type": "'PERIODIC'",
            "consent_types": "CASE c % 30 WHEN 2 THEN 'PROFILE' "
            "ELSE 'PROFILE;SUMMARY;TRANSACTIONS' END",
            "fi_types": "'DEPOSIT'",
            "purpose_code": "CASE c % 9 WHEN 3 THEN '101' WHEN 4 THEN '103' ELSE '104' END",
        },
    ),
    "raw.aa_accounts": (
        3,
        {
            "consent_id": "CASE WHEN k = 1 THEN 'J' ELSE 'K' END || c",
            "link_ref_number": "CASE WHEN k = 2 THEN 'M' ELSE 'L' END || c",
            "fi_type": "CASE WHEN k = 2 AND c % 2 = 0 THEN 'TERM_DEPOSIT' ELSE 'DEPOSIT' END",
            "current_balance": "1000 + h + v",
            "fetched_at_utc": "TIMESTAMP '2026-06-29 04:00:00' - h % 4 * INTERVAL 11 HOUR",
            "mobile_token": "'ph1_' || c",
        },
    ),
    "raw.aa_transactions": (
        60,
        {
            "consent_id": "CASE WHEN c % 5 = 0 AND k % 2 = 0 THEN 'J' ELSE 'K' END || c",
            "link_ref_number": "CASE WHEN k % 6 = 5 THEN 'M' ELSE 'L' END || c",
            "transaction_id": "'X' || i",
            "direction": "CASE WHEN k % 10 = 0 THEN 'CREDIT' ELSE 'DEBIT' END",
            "mode": "'UPI'",
            "amount": "CASE WHEN k % 10 = 0 THEN 30000 + h ELSE 100 + h % 5000 END + v * 7.25",
            "balance_after": "500 + h - v",
            "currency": "CASE WHEN c % 60 = 0 AND k % 2 = 0 THEN 'USD' ELSE 'INR' END",
            "transacted_at_utc": f"{_MOVED} + INTERVAL 5 HOUR",
            "value_date": _MOVED,
            "category": "CASE WHEN k % 10 = 0 THEN CASE WHEN h % 9 = 0 THEN 'other' ELSE 'salary' "
            "END ELSE ['groceries', 'utilities', 'rent', 'other', 'emi', 'cash', 'shopping', "
            "'bounce_charge'][1 + h % 8] END",
        },
    ),
    "raw.clickstream_events": (
        3,
        {
            "event_id": "'V' || i",
            "occurred_at_utc": "TIMESTAMP '2026-06-27 05:00:00' - k * INTERVAL 9 DAY",
            "event_type": "'product_view'",
            "product": "['personal_loan', 'credit_card'][1 + h % 2]",
            "session_id": "'S' || i",
            "device": "'android'",
        },
    ),
    "engagement.events": (
        10,
        {
            "event_id": "'G' || i",
            "provider": "'bench'",
            "event_type": "['sent', 'delivered', 'opened', 'clicked', 'replied'][1 + h % 5]",
            "occurred_at_utc": "TIMESTAMP '2026-06-28 07:00:00' - k * INTERVAL 5 DAY",
            "action_id": "'N' || c || '-' || (k // 2)",
            "channel": "['sms', 'email'][1 + c % 2]",
            "known_date": "DATE '2026-06-29'",
        },
    ),
}


def contracts() -> dict[str, TableContract]:
    """The contracts of every table that dbt reads."""
    written = {contract.name: contract for contract in (*raw_tables().values(), EVENTS)}
    return {name: written[name] for name in source_columns() if name in written}


def write_tables(parquet: Path, customers: int) -> None:
    """Write the tables as `<table>.parquet` under `parquet`."""
    parquet.mkdir(parents=True, exist_ok=True)
    for name, contract in contracts().items():
        if name in _TABLES:
            _write(contract, parquet / f"{name}.parquet", customers)


def make_lake(lake: Lakehouse, parquet: Path, customers: int) -> None:
    """Write the tables as Parquet under `parquet`, and register the files in the lakehouse.

    Raises nothing of its own; the files stand for the bare side of a comparison too.
    """
    write_tables(parquet, customers)
    heads: dict[str, int] = {}
    for name, contract in contracts().items():
        table = lake.ensure(contract)
        if name not in _TABLES:
            continue
        path = parquet / f"{name}.parquet"
        table.add_files([path.as_uri()], check_duplicate_files=False)
        snapshot = lake.head(name)
        assert snapshot is not None and pq.ParquetFile(path).metadata.num_rows > 0
        heads[name] = snapshot
    for stage, prefix in (("ingestion", "raw."), ("engagement", "engagement.")):
        publish_heads(
            lake,
            stage=stage,
            lender_id=LENDER.lender_id,
            day=DAY,
            tables={n: s for n, s in heads.items() if n.startswith(prefix)},
            run=RUN,
        )


def _write(contract: TableContract, path: Path, customers: int) -> None:
    count, columns = _TABLES[contract.name]
    expressions = {**_COMMON, **columns}
    versions = 2 if contract.name in _CORRECTED else 1
    with connect(memory_limit="4GB") as con:
        empty = contract.schema.empty_table()
        con.register("empty", empty)
        types = {str(r[0]): str(r[1]) for r in con.execute("DESCRIBE empty").fetchall()}
        selected = ", ".join(
            f'CAST({expressions.get(c, "NULL")} AS {kind}) AS "{c}"' for c, kind in types.items()
        )
        con.execute(
            f"""
            COPY (
                SELECT {selected}
                FROM (
                    SELECT i, v, i // {count} AS c, i % {count} AS k,
                           CAST(hash(i) % 10000 AS BIGINT) AS h,
                           v * [0, 2, 1440][1 + CAST(hash(i, 2) % 3 AS BIGINT)]
                               * INTERVAL 1 HOUR AS later
                    FROM range({customers * count}) AS r(i), range({versions}) AS again(v)
                    WHERE v = 0 OR hash(i, 1) % 50 = 0
                )
            ) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 500000)
            """
        )
