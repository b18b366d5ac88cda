"""Landing files: their names, their delivery times, their bytes.

A file is written beside its final name and renamed, so a reader never sees half of one. A file
that is already there with the same bytes is left alone, so that repeating a step changes nothing.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as arrow_csv

from simulator.calendar import day_start, to_date
from simulator.seeds import generator

NEVER_LATE = frozenset({"portfolio", "payments", "aa_consents"})
"""The required feeds, and the consents without which deposits cannot be judged."""
LATE_SHARE = 0.03
"""Share of the files of the other feeds that arrive after the 06:00 cut-off, on the next day."""

_WINDOW = {"aa_consents": (30, 75), "aa_deposits": (90, 240)}
_DEFAULT_WINDOW = (30, 240)


@dataclass(frozen=True)
class FeedFile:
    """Rows to be delivered as one file: a table for CSV, or finished JSON lines.

    ``records_per_line`` counts what each JSON line holds (an account and its transactions).
    """

    feed: str
    day: int
    delivered_at: int
    rows: pa.Table | None = None
    lines: list[bytes] | None = None
    records_per_line: list[int] | None = None
    suffix: str = ""

    @property
    def records(self) -> int:
        """Data rows; in JSON feeds, accounts or consents plus transactions."""
        if self.rows is not None:
            return int(self.rows.num_rows)
        return sum(self.records_per_line or [])

    @property
    def name(self) -> str:
        """``<feed>_<business date>_<delivery time UTC>[_suffix].<ext>``."""
        delivered = datetime.fromtimestamp(self.delivered_at, UTC).strftime("%Y%m%dT%H%M%SZ")
        extension = "csv" if self.rows is not None else "jsonl"
        tail = f"_{self.suffix}" if self.suffix else ""
        return f"{self.feed}_{to_date(self.day).isoformat()}_{delivered}{tail}.{extension}"


def delivery_instant(seed: int, feed: str, day: int) -> int:
    """When the file of ``day`` arrives: 00:30 to 04:30 of the next day at the lender.

    A stated share (:data:`LATE_SHARE`) of the optional feeds comes between 09:00 and 20:00
    instead. Consents arrive before deposits.
    """
    rng = generator(seed, f"delivery.{feed}", day)
    low, high = _WINDOW.get(feed, _DEFAULT_WINDOW)
    minutes = int(rng.integers(low, high))
    seconds = int(rng.integers(0, 60))
    if feed not in NEVER_LATE and rng.random() < LATE_SHARE:
        minutes = int(rng.integers(9 * 60, 20 * 60))
    return day_start(day + 1) + minutes * 60 + seconds


def csv_lines(rows: pa.Table) -> list[bytes]:
    """The data lines, without the header; no value of the feeds needs quoting."""
    buffer = BytesIO()
    options = arrow_csv.WriteOptions(include_header=False, quoting_style="none")
    arrow_csv.write_csv(rows, buffer, options)
    return buffer.getvalue().split(b"\n")[:-1]


def header(rows: pa.Table) -> bytes:
    """The header line."""
    return ",".join(rows.column_names).encode()


def folder(out: Path, lender_id: str, feed: str) -> Path:
    """Where the files of a feed lie."""
    return out / "landing" / lender_id / feed


def write_atomically(path: Path, content: bytes) -> None:
    """Write by rename; the same content already there is left untouched."""
    if path.exists() and path.stat().st_size == len(content) and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as handle:
        handle.write(content)
        handle.flush()
    partial.replace(path)


def plain_content(file: FeedFile) -> bytes:
    """The file's bytes as they are, without any wrong row."""
    if file.rows is not None:
        return b"\n".join([header(file.rows), *csv_lines(file.rows)]) + b"\n"
    return b"\n".join(file.lines or []) + b"\n"
