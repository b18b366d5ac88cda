"""`make bench`: every benchmark, written to `docs/results/benchmarks.md`."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results" / "benchmarks.md"
BENCHMARKS = {
    "A portfolio snapshot against its bare kernels": "benchmarks.ingestion.portfolio_csv",
    "Account Aggregator data against the bare parsers": "benchmarks.ingestion.aa_parsers",
    "Many small files": "benchmarks.ingestion.small_files",
}


def main() -> int:
    """Run all and write the page."""
    load = os.getloadavg()[0]
    parts = [
        "# Benchmarks",
        f"Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, load {load:.1f} at the start. Only the ratios within one "
        "run mean something.",
    ]
    for title, module in BENCHMARKS.items():
        sys.stderr.write(f"{title} …\n")
        done = subprocess.run(
            [sys.executable, "-m", module], check=True, stdout=subprocess.PIPE, text=True
        )
        parts += [f"## {title}", f"`python -m {module}`", done.stdout.strip()]
    RESULTS.write_text("\n\n".join(parts) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
