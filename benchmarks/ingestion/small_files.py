"""Many small files in one run: what one of them costs must not depend on how many there are.

python -m benchmarks.ingestion.small_files [--most 10000]
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.ingestion.bench_lender import landing, take_in
from benchmarks.measure import HEADER, measured, row

MODULE = "benchmarks.ingestion.small_files"
_HEAD = "payment_id,account_id,customer_id,value_date,paid_at_utc,amount,currency,method,status\n"
_DAY = "2026-06-30"


def deliver(home: Path, files: int) -> None:
    """`files` files of two payments each."""
    for number in range(files):
        rows = (
            f"P{number}-{i},A{number},C{number},{_DAY},{_DAY}T08:30:00Z,500.00,INR,upi,success\n"
            for i in range(2)
        )
        landing(home, "payments", f"payments_{_DAY}_{number}.csv").write_text(_HEAD + "".join(rows))


def main() -> None:
    """Measure and print, or take in for a parent process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--most", type=int, default=10_000)
    parser.add_argument("--part", choices=["ingest"])
    parser.add_argument("--home", type=Path)
    given = parser.parse_args()
    if given.part:
        take_in(given.home)
    else:
        sys.stdout.write(compare(given.most) + "\n")


def compare(most: int) -> str:
    """The Markdown table: a hundred files, and ten times as many up to `most`."""
    lines = [HEADER]
    costs: list[str] = []
    files, fewer, cpu = 100, 0, 0.0
    while files <= most:
        home = Path(tempfile.mkdtemp(prefix="paymentor-bench-"))
        try:
            deliver(home, files)
            found = measured(MODULE, "ingest", "--home", str(home))
        finally:
            shutil.rmtree(home)
        if fewer:
            further = 1000 * (found.cpu_seconds - cpu) / (files - fewer)
            costs.append(f"{further:.1f} ms from {fewer:,} to {files:,}")
        lines.append(row(f"{files:,} files", found))
        files, fewer, cpu = files * 10, files, found.cpu_seconds
    return "\n".join(
        [*lines, "", f"CPU of each further file: {', '.join(costs)}. The goal is flat."]
    )


if __name__ == "__main__":
    main()
