"""One day's features through the platform, against the same SQL run bare, and against pandas.

The bare side is the SQL that dbt compiled, in its order, in one DuckDB over the Parquet files
alone: no Iceberg, no dbt, no tests, no publication. The pandas side computes two of the models, the
account's payments and the customer's cash flow, from the same files.

    python -m benchmarks.features.day_build [--customers 100000]
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
from typing import Any

from benchmarks.features import pandas_peer
from benchmarks.features.synthetic_lake import DAY, LENDER, RUN, make_lake
from benchmarks.measure import HEADER, Measurement, measured, row
from paymentor_assets.features.build import BuildPlace, build_features
from paymentor_assets.settings import Settings
from resources.duck import connect
from resources.lakehouse import Lakehouse
from resources.warehouse import source_columns

MODULE = "benchmarks.features.day_build"
#: What a build may cost, as a multiple of the bare SQL, and how much faster than pandas it must be.
GOAL, PANDAS_GOAL = 2.0, 5.0
MEMORY_LIMIT = "6GB"


def settings_of(home: Path) -> Settings:
    """The settings of a benchmark's home."""
    return Settings.load({"PAYMENTOR_ENV": "test", "PAYMENTOR_HOME": str(home)})


def build(home: Path) -> None:
    """The platform: pins, dbt with its tests, digests, commits, publication."""
    settings = settings_of(home)
    build_features(settings, Lakehouse(settings.catalog_properties), LENDER, [DAY], RUN)


def bare(home: Path) -> None:
    """The SQL that dbt compiled, over the Parquet files."""
    target = BuildPlace.of(settings_of(home)).target_path
    manifest = json.loads((target / "manifest.json").read_text())
    results = json.loads((target / "run_results.json").read_text())["results"]
    with connect(home / "bare.duckdb", memory_limit=MEMORY_LIMIT) as con:
        _sources(con, home / "parquet")
        for result in results:
            node = manifest["nodes"].get(result["unique_id"], {})
            if node.get("resource_type") == "model":
                kind = "VIEW" if node["config"]["materialized"] == "view" else "TABLE"
                con.execute(f"CREATE SCHEMA IF NOT EXISTS {node['schema']}")
                con.execute(
                    f"CREATE {kind} {node['schema']}.{node['name']} AS {_code(node, target)}"
                )


def _code(node: dict[str, Any], target: Path) -> str:
    """The compiled SQL; names are those of the scratch file, which here is another."""
    path: str = node["original_file_path"]
    compiled = (target / "compiled" / "paymentor" / path).read_text()
    return compiled.replace(f'"{node["database"]}".', "")


def _sources(con: Any, parquet: Path) -> None:
    for name, columns in source_columns().items():
        schema, _, table = name.partition(".")
        path = parquet / f"{name}.parquet"
        empty = ", ".join(f'CAST(NULL AS {kind}) AS "{c}"' for c, kind in columns.items())
        select = f"FROM '{path}'" if path.exists() else f"SELECT {empty} WHERE false"
        con.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        con.execute(f"CREATE VIEW {schema}.{table} AS {select}")
    con.execute("CREATE SCHEMA pinned")
    con.execute(
        "CREATE TABLE pinned.build_lenders AS SELECT 'bench' AS lender_id, "
        f"'{LENDER.zone}' AS time_zone, '06:00:00' AS daily_cutoff, DATE '{DAY}' AS known_through"
    )
    con.execute(
        f"CREATE TABLE pinned.build_days AS SELECT 'bench' AS lender_id, DATE '{DAY}' AS as_of_date"
    )


def two_models(home: Path) -> None:
    """What pandas is compared with: the same two models and what they rest on, bare."""
    target = BuildPlace.of(settings_of(home)).target_path
    manifest = json.loads((target / "manifest.json").read_text())
    results = json.loads((target / "run_results.json").read_text())["results"]
    wanted = _with_parents(manifest, pandas_peer.MODELS)
    with connect(memory_limit=MEMORY_LIMIT) as con:
        _sources(con, home / "parquet")
        for result in results:
            node = manifest["nodes"].get(result["unique_id"], {})
            if result["unique_id"] in wanted and node.get("resource_type") == "model":
                kind = "VIEW" if node["config"]["materialized"] == "view" else "TABLE"
                con.execute(f"CREATE SCHEMA IF NOT EXISTS {node['schema']}")
                con.execute(
                    f"CREATE {kind} {node['schema']}.{node['name']} AS {_code(node, target)}"
                )


def _with_parents(manifest: dict[str, Any], names: tuple[str, ...]) -> set[str]:
    wanted: set[str] = set()
    waiting = [f"model.paymentor.{name}" for name in names]
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting += manifest["parent_map"].get(name, [])
    return wanted


PARTS = {"build": build, "bare": bare, "two_models": two_models, "pandas": pandas_peer.compute}


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


def main() -> int:
    """Make the lake, measure the parts, print a page's section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        report(options.part, options.home)
        return 0
    home = Path(tempfile.mkdtemp(prefix="paymentor-bench-"))
    try:
        settings = settings_of(home)
        settings.lakehouse_dir.mkdir(parents=True)
        make_lake(Lakehouse(settings.catalog_properties), home / "parquet", options.customers)
        found = {
            part: measured(MODULE, part, "--home", str(home))
            for part in ("build", "bare", "two_models", "pandas")
        }
        again = measured(MODULE, "build", "--home", str(home))
    finally:
        shutil.rmtree(home)
    through, alone = found["build"], found["bare"]
    ratio = through.cpu_seconds / alone.cpu_seconds
    faster = found["pandas"].cpu_seconds / found["two_models"].cpu_seconds
    sys.stdout.write(
        f"{options.customers:,} customers, {options.customers * 60:,} bank transactions, "
        f"{options.customers * 6:,} tradelines, {options.customers * 10:,} events; one day.\n\n"
        f"{HEADER}\n{row('the platform', through)}\n{row('the same SQL, bare', alone)}\n"
        f"{row('the same day again, nothing new', again)}\n"
        f"{row('two models in SQL, bare', found['two_models'])}\n"
        f"{row('the same two in pandas', found['pandas'])}\n\n"
        f"The platform costs **{ratio:.2f}x** the CPU of the bare SQL (goal {GOAL}x), "
        f"{through.cpu_seconds / options.customers * 1e6:.0f} µs of CPU a customer. SQL is "
        f"**{faster:.1f}x** as fast as pandas (goal {PANDAS_GOAL}x).\n"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
