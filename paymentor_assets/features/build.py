"""Run dbt over pinned inputs when something is new; publish when, and only when, its tests pass."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from paymentor_assets.audit.publications import RunInfo, newest
from paymentor_assets.features.context import BuildInputs, pinned_inputs
from paymentor_assets.features.failing import RESULTS, failing_rows, failures
from paymentor_assets.features.freshness import Freshness, freshness
from paymentor_assets.features.project import PROJECT_DIR, TARGET
from paymentor_assets.features.publish import LABELS, Published, publish_marts
from paymentor_assets.lenders import Lender
from paymentor_assets.settings import Settings
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
    return {
        "PAYMENTOR_HOME": str(settings.home),
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


@dataclass(frozen=True)
class Plan:
    """A build of the days that are stale, with its inputs pinned; nothing is written yet."""

    place: BuildPlace
    lender: Lender
    inputs: BuildInputs
    freshness: Freshness

    @property
    def days(self) -> list[date]:
        """The days to build; empty when nothing is new."""
        return sorted(self.freshness.stale)


def plan_build(
    settings: Settings, lake: Lakehouse, lender: Lender, days: Sequence[date], run: RunInfo
) -> Plan:
    """Pin what a build of these days would read, and find out which of them are stale.

    Raises UsageError without days, PublicationError when nothing was ingested yet.
    """
    if not days:
        raise UsageError(f"No day was named to build features of {lender.lender_id} for.")
    asked = pinned_inputs(lake, lender, days, run.clock)
    found = freshness(lake, lender, asked, days, run.code_version)
    return Plan(BuildPlace.of(settings), lender, asked.only(found.stale), found)


def prepare(plan: Plan) -> None:
    """Write the context file of a build that is about to run."""
    place = plan.place
    place.target_path.mkdir(parents=True, exist_ok=True)
    place.context_path.write_text(plan.inputs.context.to_json())
    # A run that dies before dbt writes its results must not be explained by those of another.
    (place.target_path / RESULTS).unlink(missing_ok=True)
    _share_parse_cache(place)


def build_features(
    settings: Settings,
    lake: Lakehouse,
    lender: Lender,
    days: Sequence[date],
    run: RunInfo,
    *,
    sealed: Collection[date] = (),
) -> Published:
    """Build the features of a lender for those of these days that are stale, in one dbt run.

    `days` need not be neighbours: training asks for weekly ones. When nothing is new, dbt is not
    started. Raises PublicationError with what dbt said when a model or test fails, and nothing is
    published then; SealedDayError as `publish_marts` does.
    """
    plan = plan_build(settings, lake, lender, days, run)
    if plan.freshness.nothing_new:
        return published_before(lake, plan, max(days))
    prepare(plan)
    run_dbt(dbt_environment(settings, plan.place), plan, BUILD_ARGUMENTS)
    return publish_plan(lake, plan, run, sealed)


def publish_plan(lake: Lakehouse, plan: Plan, run: RunInfo, sealed: Collection[date]) -> Published:
    """Publish what a build of this plan left in its scratch."""
    return publish_marts(
        lake,
        plan.place.scratch,
        lender_id=plan.lender.lender_id,
        days=plan.days,
        inputs=plan.inputs,
        run=run,
        sealed=sealed,
    )


def published_before(lake: Lakehouse, plan: Plan, day: date) -> Published:
    """What stands published for a day of which nothing is new."""
    return Published(
        plan.freshness.published[day], newest(lake, LABELS, plan.lender.lender_id, day)
    )


def run_dbt(variables: Mapping[str, str], plan: Plan, arguments: Sequence[str]) -> None:
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
        said = (finished.stdout + finished.stderr).strip()[-2000:]
        raise not_passed(variables, plan.place, plan.lender.lender_id, said)


def not_passed(
    variables: Mapping[str, str], place: BuildPlace, lender_id: str, said: str
) -> PublicationError:
    """The error of a build that did not pass; stores the rows that failed tests for a look.

    `said` is what dbt printed, for when it did not come to writing results.
    """
    found = failures(place.target_path)
    stored = failing_rows(_DBT, variables, place.target_path)
    told = "; ".join(found[:_SHOWN_FAILURES]) or said
    where = "the scratch tables are" if not stored else f"failing rows are in {', '.join(stored)}"
    return PublicationError(
        f"dbt did not pass for lender {lender_id}, so nothing was published: {told}"
        f"{' …' if len(found) > _SHOWN_FAILURES else ''} "
        f"({where} of $PAYMENTOR_HOME/warehouse/platform/{place.scratch.name})."
    )


def _share_parse_cache(place: BuildPlace) -> None:
    """Start from what set-up parsed; parsing anew takes as long as a small build."""
    parsed = PROJECT_DIR / "target" / _PARSE_CACHE
    if parsed.exists() and not (place.target_path / _PARSE_CACHE).exists():
        shutil.copy(parsed, place.target_path / _PARSE_CACHE)
