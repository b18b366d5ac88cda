"""`make bench`: every benchmark, written to `docs/results/benchmarks.md`.

python -m benchmarks [--rows 1000000]
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results" / "benchmarks.md"
SNAPSHOT = "benchmarks.ingestion.portfolio_csv"
BENCHMARKS = {
    "Many small files": "benchmarks.ingestion.small_files",
    "Account Aggregator data against the bare parsers": "benchmarks.ingestion.aa_parsers",
    "A portfolio snapshot against its bare kernels": SNAPSHOT,
    "A day's features against the same SQL run bare": "benchmarks.features.day_build",
    "A day's scores against bare prediction, read and write": "benchmarks.scoring.daily_scores",
}


def main() -> int:
    """Run all and write the page."""
    options = argparse.ArgumentParser(description="Measure everything and write the page.")
    options.add_argument("--rows", type=int, default=1_000_000, help="rows of the snapshot")
    rows = ["--rows", str(options.parse_args().rows)]
    load = os.getloadavg()[0]
    parts = [
        "# Benchmarks",
        f"Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, load {load:.1f} at the start. Only the ratios within one "
        "run mean something, and where others work on the machine only those of CPU time.",
    ]
    for title, module in BENCHMARKS.items():
        sys.stderr.write(f"{title} …\n")
        command = ["-m", module, *(rows if module == SNAPSHOT else ())]
        done = subprocess.run(
            [sys.executable, *command], check=True, stdout=subprocess.PIPE, text=True
        )
        parts += [f"## {title}", f"`python {' '.join(command)}`", done.stdout.strip()]
        # After each, so that what was measured stands when a later one is given up.
        RESULTS.write_text("\n\n".join(parts) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
