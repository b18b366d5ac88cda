"""Run dbt over pinned inputs; publish when, and only when, its tests pass."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from paymentor_assets.audit.publications import Publication, RunInfo
from paymentor_assets.features.context import BuildInputs, pinned_inputs
from paymentor_assets.features.project import PROJECT_DIR, TARGET
from paymentor_assets.features.publish import publish_marts
from paymentor_assets.lenders import Lender
from paymentor_assets.settings import Settings, home_path
from resources.errors import PublicationError, UsageError
from resources.lakehouse import Lakehouse
from resources.warehouse import CONTEXT_VARIABLE

#: One build of everything; unit tests prove the SQL in CI and say nothing about the day's data.
BUILD_ARGUMENTS = ("build", "--exclude-resource-type", "unit_test")
_SHOWN_FAILURES = 5
#: The debug log file alone costs a fifth of a small build.
_DBT = (
    sys.executable,
    "-c",
    "from dbt.cli.main import cli; cli()",
    "--quiet",
    "--log-level-file=none",
)
_PARSE_CACHE = "partial_parse.msgpack"
_RESULTS = "run_results.json"


@dataclass(frozen=True)
class BuildPlace:
    """Where the platform's dbt runs of one home keep their scratch, context and artefacts."""

    scratch: Path
    context_path: Path
    target_path: Path

    @classmethod
    def of(cls, settings: Settings) -> BuildPlace:
        """The place of these settings; nothing is created."""
        folder = settings.warehouse_dir / "platform"
        return cls(folder / "scratch.duckdb", folder / "context.json", folder / "dbt")


def dbt_environment(settings: Settings, place: BuildPlace) -> dict[str, str]:
    """Environment variables under which dbt finds the home, the pins and a place for artefacts."""
    # dbt parses everything anew when a variable of its profile changes: a home that it would find
    # by itself is not spelled out.
    spelled_out = (
        {} if home_path(os.environ) == settings.home else {"PAYMENTOR_HOME": str(settings.home)}
    )
    return {
        **spelled_out,
        CONTEXT_VARIABLE: str(place.context_path),
        "DBT_TARGET_PATH": str(place.target_path),
        "DBT_LOG_PATH": str(place.target_path),
        "DBT_PROFILES_DIR": str(PROJECT_DIR),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
    }


@contextmanager
def process_environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables inside the block: dbt's adapter reads nothing else."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def prepare(
    settings: Settings, lake: Lakehouse, lender: Lender, days: Sequence[date]
) -> tuple[BuildPlace, BuildInputs]:
    """Pin the inputs of a build and write its context file."""
    if not days:
        raise UsageError(f"No day was named to build features of {lender.lender_id} for.")
    place = BuildPlace.of(settings)
    inputs = pinned_inputs(lake, lender, days)
    place.target_path.mkdir(parents=True, exist_ok=True)
    place.context_path.write_text(inputs.context.to_json())
    # A run that dies before dbt writes its results must not be explained by those of another.
    (place.target_path / _RESULTS).unlink(missing_ok=True)
    _share_parse_cache(place)
    return place, inputs


def build_features(
    settings: Settings, lake: Lakehouse, lender: Lender, days: Sequence[date], run: RunInfo
) -> Publication:
    """Build all features of a lender for these days in one dbt run, and publish them together.

    `days` need not be neighbours: training asks for weekly ones. Raises PublicationError with what
    dbt said when a model or test fails; nothing is published then.
    """
    place, inputs = prepare(settings, lake, lender, days)
    run_dbt(dbt_environment(settings, place), place, BUILD_ARGUMENTS)
    return publish_marts(
        lake, place.scratch, lender_id=lender.lender_id, days=days, inputs=inputs, run=run
    )


def run_dbt(variables: Mapping[str, str], place: BuildPlace, arguments: Sequence[str]) -> None:
    """Run dbt in its own process on the platform's target.

    A process of its own, because dbt keeps global state and changes the working directory.
    Raises PublicationError naming the first failed nodes.
    """
    finished = subprocess.run(
        [*_DBT, *arguments, "--target", TARGET],
        cwd=PROJECT_DIR,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode != 0:
        said = failures(place) or [(finished.stdout + finished.stderr).strip()[-2000:]]
        raise PublicationError(
            f"dbt did not pass, so nothing was published: {'; '.join(said[:_SHOWN_FAILURES])}"
            f"{' …' if len(said) > _SHOWN_FAILURES else ''} "
            f"(the scratch tables are in $PAYMENTOR_HOME/warehouse/platform for a look)."
        )


def _share_parse_cache(place: BuildPlace) -> None:
    """Start from what set-up parsed; parsing anew takes as long as a small build."""
    parsed = PROJECT_DIR / "target" / _PARSE_CACHE
    if parsed.exists() and not (place.target_path / _PARSE_CACHE).exists():
        shutil.copy(parsed, place.target_path / _PARSE_CACHE)


def failures(place: BuildPlace) -> list[str]:
    """What failed in the last dbt run: node name and message each; empty without results."""
    run_results = place.target_path / _RESULTS
    if not run_results.exists():
        return []
    results = json.loads(run_results.read_text())["results"]
    return [
        f"{r['unique_id'].split('.')[2]}: {' '.join(str(r['message']).split())}"
        for r in results
        if r["status"] in ("error", "fail")
    ]
