"""A lender's landing zone and everything ingestion needs around it, in one folder."""

from __future__ import annotations

import atexit
import csv
import io
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from paymentor_assets.audit.publications import RunInfo
from paymentor_assets.ingestion.contracts.book import ContractBook, load_feeds
from paymentor_assets.ingestion.contracts.tables import raw_tables
from paymentor_assets.ingestion.doors import Doors
from paymentor_assets.ingestion.ingest import ingest
from paymentor_assets.ingestion.result import IngestionResult
from paymentor_assets.lenders import Lender
from resources.clock import FixedClock
from resources.lakehouse import Lakehouse
from resources.landing_zone import LandedFile, LandingZone, LocalLandingZone
from resources.openpgp import PgpKeys
from resources.operational_store import OperationalStore
from resources.session_keys import SessionKeys
from resources.vault import Reveal, Vault
from tests.support import aa_documents

DAY = date(2026, 6, 30)
NOW = datetime(2026, 7, 1, 1, 0, tzinfo=UTC)
DELIVERED = datetime(2026, 6, 30, 20, 0, tzinfo=UTC)
#: Columns that tell one run from another and nothing else.
OF_THE_RUN = {"_ingested_at", "received_at_utc"}


def make_lender(lender_id: str = "meridian", **changes: Any) -> Lender:
    """A lender that delivers every feed and names the delivery time in the file name."""
    terms: dict[str, Any] = {
        "lender_id": lender_id,
        "name": "Meridian",
        "role": "first_party",
        "zone": "Asia/Kolkata",
        "daily_cutoff": "06:00:00",
        "known_at": "file_name",
        "feeds": sorted(load_feeds()),
        "required_feeds": ["portfolio", "payments"],
        "latest_by": "09:00:00",
        "currencies": ["INR", "USD"],
        "slots": ["10:00:00"],
        "channels": {"email": {"daily_capacity": 10, "cost": {"INR": "0.1", "USD": "0.01"}}},
        "max_rejected_share": 0.5,
    }
    return Lender.model_validate(terms | changes)


@dataclass
class LandingHouse:
    """Doors over one folder; `deliver` puts a file there, `ingest` takes in what waits."""

    root: Path
    lender: Lender
    lake: Lakehouse
    store: OperationalStore
    vault: Vault
    reveals: list[Reveal]
    now: datetime = NOW

    @property
    def landing(self) -> LocalLandingZone:
        """The landing zone."""
        return LocalLandingZone(self.root / "landing")

    def deliver(
        self,
        feed: str,
        content: bytes,
        *,
        day: date = DAY,
        delivered: datetime = DELIVERED,
        suffix: str = "",
        lender_id: str | None = None,
    ) -> Path:
        """Write one file under its proper name."""
        extension = "csv" if load_feeds()[feed].format == "delimited" else "jsonl"
        tail = f"_{suffix}" if suffix else ""
        name = f"{feed}_{day}_{delivered:%Y%m%dT%H%M%SZ}{tail}.{extension}"
        return self.put(f"{lender_id or self.lender.lender_id}/{feed}/{name}", content)

    def put(self, uri: str, content: bytes) -> Path:
        """Write one file anywhere in the landing zone, atomically and as a new object."""
        path = self.root / "landing" / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        partial.write_bytes(content)
        partial.replace(path)
        return path

    def ingest(
        self,
        *,
        run_id: str = "run-1",
        files: Sequence[LandedFile] | None = None,
        lender: Lender | None = None,
    ) -> IngestionResult:
        """One ingestion run."""
        lender = lender or self.lender
        return ingest(
            self.doors(lender),
            RunInfo(run_id, "test", FixedClock(self.now)),
            lender_id=lender.lender_id,
            files=files,
        )

    def doors(self, *lenders: Lender, landing: LandingZone | None = None) -> Doors:
        """The doors of a run of these lenders, by default of the house's own."""
        return Doors(
            self.lake,
            self.store,
            self.vault,
            landing or self.landing,
            {lender.lender_id: lender for lender in lenders or (self.lender,)},
            ContractBook(self.root / "lenders"),
            lambda lender_id: PgpKeys.load(self.root / "keys", lender_id),
            lambda lender_id: SessionKeys(self.root / "keys", lender_id),
        )

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table's head, in the order of its key; empty when it does not exist."""
        if not self.lake.exists(table):
            return []
        key = [(name, "ascending") for name in raw_tables()[table].key]
        return list(self.lake.scan(table).sort_by(key).to_pylist())

    def contents(self) -> dict[str, list[dict[str, Any]]]:
        """Everything in `raw.*`, without what only tells when and by which run it was written."""
        return {
            table: [
                {k: v for k, v in row.items() if k not in OF_THE_RUN} for row in self.rows(table)
            ]
            for table in raw_tables()
        }

    def published(self, result: IngestionResult, table: str) -> pa.Table:
        """A table as readers of the publication see it."""
        assert result.publication is not None
        return self.lake.scan(table, result.publication.table(table).snapshot_id)

    def at(self, now: datetime) -> LandingHouse:
        """The same house at another time."""
        return replace(self, now=now)


def _lake(root: Path) -> Lakehouse:
    (root / "lakehouse").mkdir(parents=True, exist_ok=True)
    return Lakehouse(
        {
            "type": "sql",
            "uri": f"sqlite:///{root}/lakehouse/catalog.db",
            "warehouse": f"file://{root}/lakehouse",
        }
    )


@cache
def _template() -> Path:
    """A lakehouse with all raw tables, still empty; made once, since that takes a second."""
    root = Path(tempfile.mkdtemp(prefix="raw-tables-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    lake = _lake(root)
    for contract in raw_tables().values():
        lake.ensure(contract)
    lake.catalog.engine.dispose()  # type: ignore[attr-defined]
    return root


def _furnish(root: Path) -> None:
    """Copy the empty tables into `root`; their metadata names files by absolute path."""
    template = _template()
    shutil.copytree(template / "lakehouse", root / "lakehouse")
    for path in (root / "lakehouse").rglob("*.metadata.json"):
        path.write_text(path.read_text().replace(str(template), str(root)))
    with closing(sqlite3.connect(root / "lakehouse" / "catalog.db")) as catalog, catalog:
        catalog.execute(
            "UPDATE iceberg_tables SET metadata_location = replace(metadata_location, ?, ?)",
            (str(template), str(root)),
        )


@contextmanager
def landing_house(
    root: Path, lender: Lender | None = None, *, has_tables: bool = True
) -> Iterator[LandingHouse]:
    """A house in `root`, with its connections closed afterwards; its raw tables may exist."""
    if has_tables:
        _furnish(root)
    lake = _lake(root)
    store = OperationalStore(f"sqlite:///{root}/operational.db")
    reveals: list[Reveal] = []
    vault = Vault(
        f"sqlite:///{root}/vault.db",
        vault_key=lambda: b"v" * 64,
        token_key=lambda: b"t" * 64,
        on_reveal=reveals.append,
    )
    try:
        yield LandingHouse(root, lender or make_lender(), lake, store, vault, reveals)
    finally:
        store.close()
        vault.close()
        engine = getattr(lake.catalog, "engine", None)
        if engine is not None:
            engine.dispose()


def portfolio_row(number: int = 1, **changes: object) -> dict[str, object]:
    """A sound row of the portfolio feed."""
    row: dict[str, object] = {
        "snapshot_date": DAY,
        "account_id": f"A{number}",
        "customer_id": f"C{number}",
        "full_name": f"Asha Example {number}",
        "phone": f"+9190000{number:05d}",
        "email": f"asha{number}@example.com",
        "national_id": "AAAPZ0000A",
        "birth_year": 1990,
        "country": "IN",
        "state": "MH",
        "city": "Pune",
        "postal_code": "411001",
        "time_zone": "Asia/Kolkata",
        "language": "mr",
        "employment_type": "salaried",
        "declared_monthly_income": "50000.00",
        "product": "personal_loan",
        "opened_date": "2025-01-15",
        "currency": "INR",
        "principal_amount": "100000.00",
        "outstanding_amount": "80000.00",
        "overdue_amount": "0.00",
        "emi_amount": "5000.00",
        "next_due_date": "2026-07-05",
        "oldest_unpaid_due_date": "",
        "emis_overdue": 0,
        "days_past_due": 0,
        "annual_rate": 0.18,
        "tenor_months": 24,
        "account_status": "open",
        "last_payment_date": "2026-06-05",
        "last_payment_amount": "5000.00",
    }
    return row | changes


def payment_row(number: int = 1, **changes: object) -> dict[str, object]:
    """A sound row of the payments feed."""
    row: dict[str, object] = {
        "payment_id": f"P{number}",
        "account_id": "A1",
        "customer_id": "C1",
        "value_date": DAY,
        "paid_at_utc": "2026-06-30T08:30:00Z",
        "amount": "5000.00",
        "currency": "INR",
        "method": "upi",
        "status": "success",
    }
    return row | changes


def as_csv(rows: Sequence[dict[str, object]], delimiter: str = ",") -> bytes:
    """Rows as a delimited file with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def payments(count: int, **changes: object) -> bytes:
    """A payments file of `count` sound rows, each with the same changes."""
    return as_csv([payment_row(i, **changes) for i in range(1, count + 1)])


def portfolio(count: int, **changes: object) -> bytes:
    """A portfolio file of `count` sound rows, each with the same changes."""
    return as_csv([portfolio_row(i, **changes) for i in range(1, count + 1)])


def consent(number: int = 1, **changes: object) -> dict[str, Any]:
    """A sound consent artefact."""
    return {
        "consentId": f"CO{number}",
        "customerId": f"C{number}",
        "status": "ACTIVE",
        "createTimestamp": "2026-06-07T00:00:00.000Z",
        "ConsentDetail": {
            "consentStart": "2026-06-07T00:00:00.000Z",
            "consentExpiry": "2026-07-06T00:00:00.000Z",
            "consentMode": "STORE",
            "fetchType": "ONETIME",
            "consentTypes": ["PROFILE", "SUMMARY", "TRANSACTIONS"],
            "fiTypes": ["DEPOSIT"],
            "DataConsumer": {"id": "example-fiu", "type": "FIU"},
            "Customer": {"id": f"Asha{number}@example-aa", "Identifiers": []},
            "Purpose": {"code": "103", "text": "Loan"},
            "FIDataRange": {"from": "2025-06-07T00:00:00.000Z", "to": "2026-06-07T00:00:00.000Z"},
            "DataLife": {"unit": "MONTH", "value": 1},
            "Frequency": {"unit": "HOUR", "value": 1},
        },
    } | changes


def transaction(number: int = 1, **changes: object) -> dict[str, Any]:
    """A sound transaction of the deposit schema v2."""
    return aa_documents.transaction(1, number) | {"txnId": f"T{number}"} | changes


def deposit(
    number: int = 1, transactions: Sequence[object] | None = None, **changes: object
) -> dict[str, Any]:
    """A sound linked account with its transactions."""
    items = [transaction(1), transaction(2)] if transactions is None else list(transactions)
    return aa_documents.envelope(number, transactions=items) | changes


def as_lines(*documents: object) -> bytes:
    """Documents as JSON lines."""
    return b"".join(json.dumps(d).encode() + b"\n" for d in documents)


def days_before(day: date, count: int) -> list[date]:
    """`count` days ending with `day`."""
    return [day - timedelta(days=i) for i in reversed(range(count))]


def refused(house: LandingHouse, code: str) -> str:
    """The sentence of the one refused file, after checking that nothing of it was taken."""
    (file,) = [f for f in house.rows("raw.ingested_files") if f["status"] == "rejected"]
    assert file["reason_code"] == code
    assert (file["rows_total"], file["rows_accepted"], file["rows_rejected"]) == (0, 0, 0)
    for table in ("raw.payments", "raw.portfolio_accounts", "raw.aa_accounts"):
        assert not [r for r in house.rows(table) if r["_file_id"] == file["file_id"]]
    assert not [r for r in house.rows("raw.rejected_rows") if r["file_id"] == file["file_id"]]
    assert file["uri"] in file["message"]
    return str(file["message"])
