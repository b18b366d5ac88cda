"""The asset graph keeps the rules of the house, and every change of it is reviewed.

`asset_graph.snapshot.txt` is the graph as text: a change of keys, dependencies, owners, jobs or
sensors shows up in review. Renew it with

    PAYMENTOR_RENEW_SNAPSHOT=1 .venv/bin/pytest tests/unit/test_house_rules.py
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from paymentor_assets import definitions, model_development
from paymentor_assets.ingestion.contracts.tables import raw_tables
from paymentor_assets.partitions import daily
from paymentor_assets.settings import Settings
from tests.support.asset_groups import GROUPS

SNAPSHOT = Path(__file__).with_name("asset_graph.snapshot.txt")
NAMESPACES = {"raw", "features", "models", "decisions", "engagement", "reporting", "audit"}
#: Files on their way into the lakehouse.
LANDING = {"landing"}
#: dbt's rooms inside its DuckDB scratch: nobody else reads them.
SCRATCH = {"staging", "intermediate"}
OWNERS = {"team:data-engineering", "team:data-science", "team:risk"}
RESOURCES = {
    "lakehouse",
    "operational_store",
    "vault",
    "landing_zone",
    "connectors",
    "streams",
    "channels",
    "registry",
    "clock",
    "receipt_clock",
    "settings",
    "lenders",
    "contracts",
    "notifier",
}
#: Personal data may appear in no column of the lakehouse; tokens of it may.
PERSONAL = re.compile(
    r"(^|_)(full_name|holder_name|phone|mobile|email|national_id|pan|ssn|aadhaar)$"
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def locations(home: Path) -> dict[str, dg.Definitions]:
    settings = Settings.load({"PAYMENTOR_ENV": "test", "PAYMENTOR_HOME": str(home)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAYMENTOR_ENV", "test")
        patch.setenv("PAYMENTOR_HOME", str(home))
        return {
            "production": definitions.build_defs(settings),
            "model_development": model_development.build_defs(),
        }


def _specs(locations: dict[str, dg.Definitions]) -> Iterator[tuple[str, dg.AssetSpec, bool]]:
    """(location, spec, is it made there) of every asset of both locations."""
    for name, defs in locations.items():
        graph = defs.resolve_asset_graph()
        for spec in sorted(defs.resolve_all_asset_specs(), key=lambda s: s.key):
            yield name, spec, spec.key in graph.materializable_asset_keys


def _made(locations: dict[str, dg.Definitions]) -> list[dg.AssetSpec]:
    return [spec for _, spec, is_made in _specs(locations) if is_made]


def test_assembling_writes_nothing(home: Path, locations: dict[str, dg.Definitions]) -> None:
    assert set(locations) == {"production", "model_development"}
    assert not [str(p.relative_to(home)) for p in home.rglob("*") if p.is_file()]


def test_every_asset_says_who_what_and_how(locations: dict[str, dg.Definitions]) -> None:
    lacking: dict[str, list[str]] = {}
    for spec in _made(locations):
        schema = spec.metadata.get("dagster/column_schema")
        is_said = {
            "group": spec.group_name in GROUPS,
            "owners": bool(spec.owners) and set(spec.owners) <= OWNERS,
            "kinds": bool(spec.kinds),
            "description": len(spec.description or "") > 20,
            "code_version": bool(spec.code_version),
            # What an intermediate model holds is known when it is built, and shown then.
            "column schema": (isinstance(schema, dg.TableSchema) and bool(schema.columns))
            or spec.key.path[0] == "intermediate",
        }
        missing = [name for name, said in is_said.items() if not said]
        if missing:
            lacking[spec.key.to_user_string()] = missing
    assert not lacking


def test_every_column_is_described(locations: dict[str, dg.Definitions]) -> None:
    silent = [
        f"{spec.key.to_user_string()}.{column.name}"
        for spec in _made(locations)
        if isinstance(schema := spec.metadata.get("dagster/column_schema"), dg.TableSchema)
        for column in schema.columns
        if not column.description
    ]
    assert not silent


def test_no_column_holds_personal_data(locations: dict[str, dg.Definitions]) -> None:
    personal = [
        f"{spec.key.to_user_string()}.{column.name}"
        for spec in _made(locations)
        if isinstance(schema := spec.metadata.get("dagster/column_schema"), dg.TableSchema)
        for column in schema.columns
        if PERSONAL.search(column.name)
    ]
    assert not personal


def test_asset_keys_are_lakehouse_tables(locations: dict[str, dg.Definitions]) -> None:
    odd = [
        spec.key.to_user_string()
        for spec in _made(locations)
        if len(spec.key.path) != 2 or spec.key.path[0] not in NAMESPACES | SCRATCH | LANDING
    ]
    assert not odd


def test_no_asset_is_made_twice_over_the_workspace(locations: dict[str, dg.Definitions]) -> None:
    counted = Counter(spec.key for spec in _made(locations))
    assert not [key.to_user_string() for key, count in counted.items() if count > 1]


def test_the_lineage_is_whole(locations: dict[str, dg.Definitions]) -> None:
    """Every upstream of an asset is described by some location, not conjured by a typing error."""
    made = {spec.key for spec in _made(locations)}
    unknown = {
        f"{spec.key.to_user_string()} needs {dep.asset_key.to_user_string()}"
        for _, spec, _ in _specs(locations)
        for dep in spec.deps
        if dep.asset_key not in made
    }
    assert not unknown


def test_every_raw_table_is_an_asset(locations: dict[str, dg.Definitions]) -> None:
    keys = {".".join(spec.key.path) for spec in _made(locations)}
    assert set(raw_tables()) <= keys


def test_partitions_are_days_or_none(locations: dict[str, dg.Definitions]) -> None:
    odd = [
        spec.key.to_user_string()
        for spec in _made(locations)
        if spec.partitions_def is not None and spec.partitions_def != daily
    ]
    assert not odd


def test_engagement_events_are_a_root(locations: dict[str, dg.Definitions]) -> None:
    """A day never feeds on itself: what it causes comes back through the stream, not an edge."""
    graph = locations["production"].resolve_asset_graph()
    assert not graph.get(dg.AssetKey(["engagement", "raw_events"])).parent_keys


def test_production_has_the_agreed_doors(locations: dict[str, dg.Definitions]) -> None:
    assert set(locations["production"].resources or {}) >= RESOURCES


def test_model_development_reaches_nothing_of_production(
    locations: dict[str, dg.Definitions],
) -> None:
    doors = set(locations["model_development"].resources or {})
    assert not doors & {
        "lakehouse",
        "operational_store",
        "vault",
        "channels",
        "settings",
        "streams",
    }


def test_the_graph_is_as_reviewed(locations: dict[str, dg.Definitions]) -> None:
    text = _as_text(locations)
    if os.environ.get("PAYMENTOR_RENEW_SNAPSHOT"):
        SNAPSHOT.write_text(text)
    assert text == SNAPSHOT.read_text(), (
        "The asset graph changed. If it was meant to, renew the snapshot with the command at the "
        f"top of {Path(__file__).name} and review the difference."
    )


def _as_text(locations: dict[str, dg.Definitions]) -> str:
    lines: list[str] = []
    for name, defs in locations.items():
        graph = defs.resolve_asset_graph()
        lines.append(f"# location {name}")
        for location, spec, is_made in _specs(locations):
            if location != name:
                continue
            partitioning = "daily" if spec.partitions_def == daily else "unpartitioned"
            lines.append(
                f"asset {spec.key.to_user_string()} [{spec.group_name}] "
                f"{' '.join(spec.owners)} {partitioning}{'' if is_made else ' external'}"
            )
            lines += [f"    <- {dep.asset_key.to_user_string()}" for dep in sorted(spec.deps)]
            lines += [
                f"    check {key.name}"
                for key in sorted(graph.asset_check_keys)
                if key.asset_key == spec.key
            ]
        repository = defs.get_repository_def()
        for job in sorted(repository.get_all_jobs(), key=lambda j: j.name):
            if job.name.startswith("__"):
                continue
            lines.append(f"job {job.name}")
            selected = job.asset_layer.executable_asset_keys
            lines += [f"    {key.to_user_string()}" for key in sorted(selected)]
        for sensor in sorted(repository.sensor_defs, key=lambda s: s.name):
            targets = ", ".join(sorted(t.job_name for t in sensor.targets)) or "none"
            lines.append(f"sensor {sensor.name} -> {targets}")
        for schedule in sorted(repository.schedule_defs, key=lambda s: s.name):
            lines.append(
                f"schedule {schedule.name} {schedule.cron_schedule} -> {schedule.job_name}"
            )
        lines.append("")
    return "\n".join(lines)
