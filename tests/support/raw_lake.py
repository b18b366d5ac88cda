"""A small lake of raw tables, filled by hand: what ingestion would have written, row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from paymentor_assets.audit.publications import RunInfo, publish_heads
from paymentor_assets.lenders import Lender, load_lender
from paymentor_assets.settings import Settings
from resources.clock import FixedClock
from resources.lakehouse import TIMESTAMP, Lakehouse, TableContract
from resources.warehouse import source_columns

_NEW_YEAR = datetime.fromisoformat("2026-01-01")
_NEXT_YEAR = datetime.fromisoformat("2027-01-01")
LENDER = {
    "lender_id": "meridian",
    "name": "Meridian",
    "role": "first_party",
    "zone": "Asia/Kolkata",
    "daily_cutoff": time(6).isoformat(),
    "known_at": "file_name",
    "feeds": ["portfolio", "payments"],
    "required_feeds": ["portfolio", "payments"],
    "latest_by": time(9).isoformat(),
    "currencies": ["INR"],
    "slots": ["10:00"],
    "channels": {"email": {"daily_capacity": 100, "cost": {"INR": "0.10"}}},
}
_TYPES = {
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": TIMESTAMP,
    "decimal(18,2)": pa.decimal128(18, 2),
}

#: Values of columns that a test does not care about.
DEFAULTS: dict[str, dict[str, Any]] = {
    "raw.portfolio_accounts": {
        "phone_token": "phone-1",
        "country": "IN",
        "state": "KA",
        "time_zone": "Asia/Kolkata",
        "language": "en",
        "employment_type": "salaried",
        "declared_monthly_income": Decimal("50000.00"),
        "product": "personal_loan",
        "opened_date": date(2025, 1, 15),
        "currency": "INR",
        "principal_amount": Decimal("120000.00"),
        "outstanding_amount": Decimal("90000.00"),
        "overdue_amount": Decimal("0.00"),
        "emi_amount": Decimal("5000.00"),
        "emis_overdue": 0,
        "days_past_due": 0,
        "annual_rate": 0.18,
        "tenor_months": 24,
        "account_status": "open",
    },
    "raw.payments": {"currency": "INR", "method": "upi", "status": "success"},
    "raw.aa_consents": {
        "status": "ACTIVE",
        "consent_types": "PROFILE;SUMMARY;TRANSACTIONS",
        "consent_start_utc": _NEW_YEAR,
        "consent_expiry_utc": _NEXT_YEAR,
        "created_at_utc": _NEW_YEAR,
    },
    "raw.aa_accounts": {"currency": "INR", "fi_type": "DEPOSIT"},
    "raw.aa_transactions": {"currency": "INR", "mode": "UPI"},
    "raw.contact_history": {"direction": "outbound", "is_randomised": False},
    "raw.bureau_reports": {"bureau": "cibil"},
    "raw.bureau_tradelines": {"currency": "INR", "is_own_account": False},
}


def raw_contract(name: str) -> TableContract:
    """The contract of a source table, as the dbt sources declare it."""
    columns = source_columns()[name]
    return TableContract(
        name=name,
        schema=pa.schema([pa.field(c, _TYPES[kind]) for c, kind in columns.items()]),
        key=tuple(columns),
        description=f"Test copy of {name}.",
    )


@dataclass
class RawLake:
    """Raw tables of one home; `deliver` is one landing file, `publish` one ingestion run."""

    home: Path
    settings: Settings = field(init=False)
    lake: Lakehouse = field(init=False)
    lender: Lender = field(init=False)
    _heads: dict[str, int] = field(default_factory=dict)
    _files: int = 0

    def __post_init__(self) -> None:
        self.settings = Settings.load({"PAYMENTOR_ENV": "test", "PAYMENTOR_HOME": str(self.home)})
        self.settings.lakehouse_dir.mkdir(parents=True, exist_ok=True)
        self.settings.lenders_dir.mkdir(parents=True, exist_ok=True)
        contract = self.settings.lenders_dir / "meridian.yaml"
        contract.write_text(yaml.safe_dump(LENDER))
        self.lender = load_lender(contract)
        self.lake = Lakehouse(self.settings.catalog_properties)

    def run(self, run_id: str = "run-1", code_version: str = "code-1") -> RunInfo:
        """A run at a fixed instant."""
        return RunInfo(run_id, code_version, FixedClock(datetime(2026, 7, 1, tzinfo=UTC)))

    def delivered(self, day: date, hours_late: int = 0) -> datetime:
        """When a file of `day` arrives: 02:00 UTC-naive before the cut-off, or hours later."""
        cutoff = self.lender.cutoff_utc(day).replace(tzinfo=None)
        return cutoff - timedelta(hours=1) + timedelta(hours=hours_late)

    def deliver(self, name: str, known_at: datetime, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append the rows of one file, known at one instant."""
        contract = raw_contract(name)
        self._files += 1
        complete = []
        for number, row in enumerate(rows, start=1):
            base: dict[str, Any] = dict.fromkeys(contract.column_names)
            base.update(DEFAULTS.get(name, {}))
            base.update(row)
            for c, value in {
                "_file_id": f"file-{self._files:04d}",
                "_row_number": number,
                "_known_at": known_at,
                "_ingested_at": known_at,
                "_lender_id": self.lender.lender_id,
                "lender_id": self.lender.lender_id,
            }.items():
                if c in contract.column_names and base[c] is None:
                    base[c] = value
            complete.append(base)
        table = pa.Table.from_pylist(complete, schema=contract.schema)
        self._heads[name] = self.lake.append(contract, table, {"test": "yes"})

    def publish(self, day: date) -> None:
        """Make everything delivered so far visible."""
        for stage, prefix in (("ingestion", "raw."), ("engagement", "engagement.")):
            tables = {n: s for n, s in self._heads.items() if n.startswith(prefix)}
            if tables:
                publish_heads(
                    self.lake,
                    stage=stage,
                    lender_id=self.lender.lender_id,
                    day=day,
                    tables=tables,
                    run=self.run(),
                )
