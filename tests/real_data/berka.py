"""The Berka bank as a lender of the platform: its tables become landing files and a contract.

`write_landing` writes `landing/berka/<feed>/…` and `lenders/berka.yaml` under a home, in the
formats every lender delivers, with simulated delivery times in the names. Everything about Berka
itself is in `berka_source`, `berka_portfolio` and `berka_aa`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from resources.duck import quote
from tests.real_data import berka_aa, berka_portfolio
from tests.real_data.berka_source import FILES, open_source

PROJECT_ROOT = Path(__file__).resolve().parents[2]
LENDER_ID = "berka"

#: Feeds in the order of delivery within a night, and how they are written.
FEEDS = {
    "contact_permissions": "csv",
    "blacklist": "csv",
    "fraud_reports": "csv",
    "aa_consents": "jsonl",
    "aa_deposits": "jsonl",
    "payments": "csv",
    "portfolio": "csv",
}
#: The source knows neither; a file with a header only says so.
_EMPTY_FEEDS = {
    "blacklist": "customer_id,reason,listed_date,delisted_date",
    "fraud_reports": "report_id,customer_id,account_id,reported_date,kind,status",
}

LENDER_CONTRACT = f"""\
lender_id: {LENDER_ID}
name: Berka (PKDD'99)
role: first_party
zone: Europe/Prague
daily_cutoff: "06:00"
known_at: file_name
feeds: [{", ".join(sorted(FEEDS))}]
required_feeds: [portfolio]
latest_by: "10:00"
on_missing: fail
currencies: [CZK]
default_language: en
slots: ["09:00", "13:00", "17:00"]
channels:
  email: {{daily_capacity: 500, cost: {{CZK: "0.10"}}}}
  sms: {{daily_capacity: 300, cost: {{CZK: "1.20"}}}}
  whatsapp: {{daily_capacity: 300, cost: {{CZK: "1.00"}}}}
  voice: {{daily_capacity: 100, cost: {{CZK: "15.00"}}}}
max_rejected_share: 0.2
"""


@dataclass(frozen=True)
class Landing:
    """What was written: files and rows by feed, and the connection the rows came from."""

    con: duckdb.DuckDBPyConnection
    files: Mapping[str, list[Path]] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)


def source_directory() -> Path:
    """Where the Berka tables are: `PAYMENTOR_REAL_DATA`, by default beside the project.

    Skips the test where they are absent; in CI their absence is a failure, not a skip.
    """
    root = PROJECT_ROOT / os.environ.get("PAYMENTOR_REAL_DATA", "../shared/data")
    directory = root / "berka"
    missing = [file for file in FILES.values() if not (directory / file).is_file()]
    if not missing:
        return directory
    message = (
        f"The real Berka data is not at {directory.resolve()} (missing: {', '.join(missing)}); "
        "set PAYMENTOR_REAL_DATA to the folder that holds berka/."
    )
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def write_landing(directory: Path, home: Path) -> Landing:
    """Write all landing files and the lender contract of the Berka tables under `home`."""
    con = open_source(directory)
    berka_portfolio.build(con)
    berka_aa.build(con)
    return write_files(con, home, FEEDS)


def write_files(con: duckdb.DuckDBPyConnection, home: Path, feeds: Iterable[str]) -> Landing:
    """Write the lender contract and, from the connection's tables, the files of these feeds."""
    contract = home / "lenders" / f"{LENDER_ID}.yaml"
    contract.parent.mkdir(parents=True, exist_ok=True)
    contract.write_text(LENDER_CONTRACT)
    files: dict[str, list[Path]] = {}
    rows: dict[str, int] = {}
    for position, feed in enumerate(feeds):
        folder = home / "landing" / LENDER_ID / feed
        folder.mkdir(parents=True, exist_ok=True)
        minute = 10 * position
        if feed in _EMPTY_FEEDS:
            path = folder / _file_name(
                feed, date.fromisoformat(berka_portfolio.OBSERVED[0]), minute
            )
            path.write_text(_EMPTY_FEEDS[feed] + "\n")
            files[feed], rows[feed] = [path], 0
        else:
            files[feed], rows[feed] = _write_feed(con, feed, folder, minute)
    return Landing(con, files, rows)


def _write_feed(
    con: duckdb.DuckDBPyConnection, feed: str, folder: Path, minute: int
) -> tuple[list[Path], int]:
    """One file a business date; returns the files and how many rows (lines) they hold."""
    if FEEDS[feed] == "csv":
        lines = _csv_files(con, feed)
    else:
        lines = con.execute(
            "SELECT business_date, string_agg(line, chr(10) ORDER BY position) || chr(10), "
            f"count(*) FROM {feed} GROUP BY business_date ORDER BY business_date"
        ).fetchall()
    written: list[Path] = []
    for day, text, _ in lines:
        path = folder / _file_name(feed, day, minute)
        path.write_text(text)
        written.append(path)
    return written, sum(rows for *_, rows in lines)


def _csv_files(con: duckdb.DuckDBPyConnection, feed: str) -> list[tuple[date, str, int]]:
    """Business date, content with header, and rows of each file; no value needs quoting."""
    names = [
        name for name, *_ in con.execute(f"DESCRIBE {feed}").fetchall() if name != "business_date"
    ]
    values = ", ".join(f"coalesce(CAST({name} AS VARCHAR), '')" for name in names)
    return con.execute(
        f"SELECT business_date, {quote(','.join(names))} || chr(10) || "
        f"string_agg(concat_ws(',', {values}), chr(10) ORDER BY {names[0]}, {names[1]}) "
        "|| chr(10), count(*) "
        f"FROM {feed} GROUP BY business_date ORDER BY business_date"
    ).fetchall()


def _file_name(feed: str, day: date, minute: int) -> str:
    """Files of a day arrive in the night after it, well before the cut-off in any season."""
    delivered = day + timedelta(days=1)
    clock = f"01{minute:02d}00" if minute < 60 else f"02{minute - 60:02d}00"
    return f"{feed}_{day.isoformat()}_{delivered:%Y%m%d}T{clock}Z.{FEEDS[feed]}"
