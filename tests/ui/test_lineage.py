"""What an auditor sees: the lineage in a real browser, and what stands behind each asset.

`PAYMENTOR_SCREENSHOTS=docs/images` keeps the pictures there; with `PAYMENTOR_SCREENSHOT_HOME` they
show that home (after `make demo`, for one) instead of an empty one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.support.asset_groups import GROUPS
from tests.support.ui import browser_page, chromium, graphql, webserver

IS_CI = os.environ.get("CI") == "true"
pytestmark = [
    pytest.mark.skipif(
        chromium() is None and not IS_CI,
        reason="chromium is not installed; `apt-get install chromium` brings it",
    ),
    pytest.mark.timeout(480),
]

ASSETS = """
{ assetNodes {
    assetKey { path }
    groupName
    description
    kinds
    isMaterializable
    owners { ... on TeamAssetOwner { team } ... on UserAssetOwner { email } }
    metadataEntries { label ... on TableSchemaMetadataEntry { schema { columns { name } } } }
    repository { location { name } }
} }
"""
LOCATIONS = """
{ workspaceOrError { ... on Workspace { locationEntries {
    name
    loadStatus
    locationOrLoadError { __typename ... on PythonError { message } }
} } } }
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    shown = os.environ.get("PAYMENTOR_SCREENSHOT_HOME")
    home = Path(shown).resolve() if shown else tmp_path_factory.mktemp("home")
    with webserver(home) as address:
        yield address


@pytest.fixture(scope="module")
def assets(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = graphql(url, ASSETS)["assetNodes"]
    return found


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser_page() as opened:
        yield opened


def keep(page: Page, name: str) -> None:
    """Save the picture where the environment asks for it."""
    folder = os.environ.get("PAYMENTOR_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png")


def name_of(asset: dict[str, Any]) -> str:
    return "/".join(asset["assetKey"]["path"])


def test_both_code_locations_load(url: str) -> None:
    entries = graphql(url, LOCATIONS)["workspaceOrError"]["locationEntries"]
    found = {entry["name"]: entry["locationOrLoadError"] for entry in entries}
    assert {name: value["__typename"] for name, value in found.items()} == {
        "production": "RepositoryLocation",
        "model_development": "RepositoryLocation",
    }, found


def test_every_asset_says_who_what_and_how(assets: list[dict[str, Any]]) -> None:
    lacking = {}
    for asset in assets:
        schema = [e for e in asset["metadataEntries"] if e["label"] == "dagster/column_schema"]
        checks = {
            "owners": bool(asset["owners"]),
            "kinds": bool(asset["kinds"]),
            "description": bool(asset["description"]),
            "group": asset["groupName"] in GROUPS,
            "schema": bool(schema and schema[0]["schema"]["columns"])
            or asset["assetKey"]["path"][0] == "intermediate"
            or not asset["isMaterializable"],
        }
        missing = [name for name, is_there in checks.items() if not is_there]
        if missing:
            lacking[name_of(asset)] = missing
    assert assets and not lacking


def test_the_lineage_shows_every_stage(url: str, assets: list[dict[str, Any]], page: Page) -> None:
    groups = sorted({asset["groupName"] for asset in assets})
    assert groups == sorted(GROUPS)
    page.goto(f"{url}/asset-groups")
    for group in groups:
        page.locator("foreignObject").get_by_text(group, exact=True).first.wait_for()
    keep(page, "lineage-by-stage")


def test_the_lineage_of_one_asset_shows_its_neighbours(url: str, page: Page) -> None:
    page.goto(f"{url}/assets/decisions/customer_rankings?view=lineage")
    for table in ("account_features", "customer_profile", "approvals", "strategies"):
        shown = page.locator("foreignObject").get_by_text(table, exact=True).first
        shown.wait_for()
        assert shown.is_visible(), table
    keep(page, "lineage-customer-rankings")


def test_an_asset_page_shows_owner_description_and_columns(
    url: str, assets: list[dict[str, Any]], page: Page
) -> None:
    (asset,) = [a for a in assets if name_of(a) == "decisions/customer_rankings"]
    page.goto(f"{url}/assets/decisions/customer_rankings?view=overview")
    page.get_by_text(asset["description"].split(".")[0]).first.wait_for()
    page.get_by_text(asset["owners"][0]["team"]).first.wait_for()
    page.get_by_text("expected_recovery").first.wait_for()
    keep(page, "asset-customer-rankings")
    assert page.get_by_text("Materialize").first.is_disabled()
