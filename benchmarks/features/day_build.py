"""One day's features through the platform, against the same SQL run bare, and against pandas.

The pandas side computes two of the models, the account's payments and the customer's cash flow,
from the same files, up to the size at which they still fit into memory; their values must be those
of the SQL, or there are no figures. With several sizes, what a customer costs at each of them.

    python -m benchmarks.features.day_build [--customers 20000 100000]
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from benchmarks.features import pandas_peer
from benchmarks.features.bare_sql import create_models
from benchmarks.features.synthetic_lake import DAY, LENDER, RUN, make_lake
from benchmarks.measure import HEADER, Measurement, measured, row
from paymentor_assets.features.build import BuildPlace, build_features
from paymentor_assets.settings import Settings
from resources.duck import connect
from resources.lakehouse import Lakehouse

MODULE = "benchmarks.features.day_build"
#: What a build may cost, as a multiple of the bare SQL; how much faster than pandas it must be; and
#: what a customer may cost at the largest size, as a multiple of the smallest.
GOAL, PANDAS_GOAL, GROWTH_GOAL = 2.0, 5.0, 1.2
#: Pandas holds everything in memory: 2.7 GB at 100,000 customers.
PANDAS_CUSTOMERS = 100_000
#: As in dbt's profile.
MEMORY_LIMIT = "6GB"


def settings_of(home: Path) -> Settings:
    """The settings of a benchmark's home."""
    return Settings.load({"PAYMENTOR_ENV": "test", "PAYMENTOR_HOME": str(home)})


def _target(home: Path) -> Path:
    return BuildPlace.of(settings_of(home)).target_path


def build(home: Path) -> None:
    """The platform: pins, dbt with its tests, digests, commits, publication."""
    settings = settings_of(home)
    build_features(settings, Lakehouse(settings.catalog_properties), LENDER, [DAY], RUN)


def bare(home: Path) -> None:
    """The SQL that dbt compiled, over the Parquet files."""
    with connect(home / "bare.duckdb", memory_limit=MEMORY_LIMIT) as con:
        create_models(con, _target(home), home / "parquet")


def two_models(home: Path) -> None:
    """What pandas is compared with: the same two models and what they rest on, bare."""
    with connect(memory_limit=MEMORY_LIMIT) as con:
        create_models(con, _target(home), home / "parquet", pandas_peer.MODELS)


def pandas(home: Path) -> None:
    """The two models in pandas."""
    pandas_peer.compute(home / "parquet")


def same(home: Path) -> None:
    """Raise ValueError where pandas and SQL say something else."""
    with connect(memory_limit=MEMORY_LIMIT) as con:
        found = pandas_peer.differences(con, _target(home), home / "parquet")
    if found:
        raise ValueError(f"SQL and pandas differ, so a ratio means nothing: {'; '.join(found)}.")


AGAINST_PANDAS = {"same": same, "two_models": two_models, "pandas": pandas}
PARTS = {"build": build, "bare": bare, **AGAINST_PANDAS}


def report(part: str, home: Path) -> None:
    """Do a part and print its measurement, with the processes that it started."""
    began, before = time.perf_counter(), _cpu()
    PARTS[part](home)
    peak = max(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    found = Measurement(
        round(time.perf_counter() - began, 3), round(_cpu() - before, 3), peak // 1024
    )
    sys.stdout.write(json.dumps(asdict(found)) + "\n")


def _cpu() -> float:
    used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def measure(customers: int) -> dict[str, Measurement]:
    """The parts over a lake of so many customers, and `again`, a second build of the day."""
    parts = [p for p in PARTS if customers <= PANDAS_CUSTOMERS or p not in AGAINST_PANDAS]
    home = Path(tempfile.mkdtemp(prefix="paymentor-bench-"))
    try:
        settings = settings_of(home)
        settings.lakehouse_dir.mkdir(parents=True)
        make_lake(Lakehouse(settings.catalog_properties), home / "parquet", customers)
        found = {part: measured(MODULE, part, "--home", str(home)) for part in parts}
        return found | {"again": measured(MODULE, "build", "--home", str(home))}
    finally:
        shutil.rmtree(home)


def section(customers: int, found: dict[str, Measurement]) -> str:
    """A page's section about one size."""
    ratio = found["build"].cpu_seconds / found["bare"].cpu_seconds
    rows = {
        "build": "the platform",
        "bare": "the same SQL, bare",
        "again": "the same day again, nothing new",
        "two_models": "two models in SQL, bare",
        "pandas": "the same two in pandas, every value equal",
    }
    table = "\n".join(row(told, found[part]) for part, told in rows.items() if part in found)
    against_pandas = ""
    if "pandas" in found:
        two, peer = found["two_models"], found["pandas"]
        against_pandas = (
            f" Pandas needs **{peer.cpu_seconds / two.cpu_seconds:.1f}x** the CPU of SQL and "
            f"**{peer.wall_seconds / two.wall_seconds:.1f}x** its time (goal {PANDAS_GOAL}x)."
        )
    return (
        f"{customers:,} customers, {customers * 60:,} bank transactions, "
        f"{customers * 6:,} tradelines, {customers * 10:,} events; one day.\n\n"
        f"{HEADER}\n{table}\n\n"
        f"The platform costs **{ratio:.2f}x** the CPU of the bare SQL (goal {GOAL}x), "
        f"{_each(customers, found['build']):.0f} µs of CPU a customer.{against_pandas}\n\n"
    )


def _each(customers: int, found: Measurement) -> float:
    return found.cpu_seconds / customers * 1e6


def main() -> int:
    """Make the lakes, measure the parts, print a page's section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        report(options.part, options.home)
        return 0
    costs = {}
    for customers in sorted(options.customers):
        found = measure(customers)
        sys.stdout.write(section(customers, found))
        sys.stdout.flush()
        costs[customers] = [_each(customers, found[part]) for part in ("build", "bare")]
    if len(costs) > 1:
        (small, first), *_, (large, last) = costs.items()
        sys.stdout.write(
            f"A customer costs **{last[0] / first[0]:.2f}x** at {large:,} what one costs at "
            f"{small:,} (goal {GROWTH_GOAL}x); in bare SQL {last[1] / first[1]:.2f}x.\n"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
