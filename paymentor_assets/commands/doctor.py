"""`paymentor doctor`: what is installed, where state lives, what is wrong, and what to do."""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version

from rich.markup import escape

from paymentor_assets.audit import ledger
from paymentor_assets.commands.console import facts, out
from paymentor_assets.deployment import Deployment
from paymentor_assets.ingestion.connectors.records import verify_exchanges
from paymentor_assets.settings import PROJECT_ROOT, Settings
from resources.duck import LAKE_EXTENSIONS, connect, extension_path, load_lake_extensions
from resources.errors import PayMentorError, SettingsError

_LOCK_LINE = re.compile(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)(?:\s*;\s*([^\\]+))?", re.I)
_SHOWN = ("dagster", "dagster-dbt", "dbt-core", "dbt-duckdb", "duckdb", "pyiceberg", "mlflow")


def doctor() -> bool:
    """Examine this installation; prints what it finds and returns whether all is well."""
    facts("Installed", {"python": platform.python_version(), **{p: version(p) for p in _SHOWN}})
    out.print()
    try:
        settings = Settings.load()
    except SettingsError as error:
        out.print(f"[red]✗[/red] settings: {escape(str(error))}")
        return False
    deployment = Deployment(settings)
    state = {
        "environment": settings.environment.value,
        "home": settings.home,
        "catalog": settings.catalog_properties.get("uri", settings.catalog_properties["type"]),
        "warehouse": settings.catalog_properties["warehouse"],
        "lenders": ", ".join(deployment.lenders) or "none yet (run `make demo`)",
    }
    facts("State", state)
    out.print()
    is_well = True
    for name, examine in _examinations(deployment):
        try:
            out.print(f"[green]✓[/green] {name}: {escape(examine())}")
        except (PayMentorError, OSError) as error:
            is_well = False
            out.print(f"[red]✗[/red] {name}: {escape(str(error))}")
    deployment.close()
    return is_well


def _examinations(deployment: Deployment) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "packages", _packages_match_the_lock
    yield "DuckDB extensions", _extensions_load
    yield "dbt manifest", _manifest_is_there
    yield "lender contracts", lambda: f"{len(deployment.lenders)} read"
    yield "catalog", lambda: _catalog_answers(deployment)
    yield "ledger", lambda: f"{ledger.verify(deployment.store)} entries, the chain holds"
    yield "exchanges with sources", lambda: _exchanges_hold(deployment)
    yield "disk", lambda: _disk_has_room(deployment)


def _packages_match_the_lock() -> str:
    wrong, count = [], 0
    for line in (PROJECT_ROOT / "requirements.lock").read_text().splitlines():
        match = _LOCK_LINE.match(line)
        if match is None or match[3] is not None:
            continue  # hashes, and packages that only other platforms need
        count += 1
        try:
            installed = version(match[1])
        except PackageNotFoundError:
            installed = "absent"
        if installed != match[2]:
            wrong.append(f"{match[1]} is {installed}, locked {match[2]}")
    if wrong:
        raise SettingsError(f"{'; '.join(wrong)}. Run `make setup`.")
    return f"{count} as locked"


def _extensions_load() -> str:
    for name in LAKE_EXTENSIONS:
        extension_path(name)
    with connect() as con:
        load_lake_extensions(con)
    return ", ".join(LAKE_EXTENSIONS)


def _manifest_is_there() -> str:
    if not (PROJECT_ROOT / "dbt_project" / "target" / "manifest.json").exists():
        raise SettingsError("dbt_project/target/manifest.json is absent; run `make setup`.")
    return "present"


def _catalog_answers(deployment: Deployment) -> str:
    namespaces = deployment.lakehouse.catalog.list_namespaces()
    tables = sum(len(deployment.lakehouse.catalog.list_tables(n)) for n in namespaces)
    return f"{tables} tables in {len(namespaces)} namespaces"


def _exchanges_hold(deployment: Deployment) -> str:
    return f"{verify_exchanges(deployment.store)} recorded, each as the ledger says"


def _disk_has_room(deployment: Deployment) -> str:
    home = deployment.settings.home
    while not home.exists():
        home = home.parent
    free = shutil.disk_usage(home).free / 2**30
    if free < 1:
        raise SettingsError(f"only {free:.1f} GiB are free under {home}; a demo needs 1 GiB.")
    if not os.access(home, os.W_OK):
        raise SettingsError(f"{home} cannot be written.")
    return f"{free:.0f} GiB free"
