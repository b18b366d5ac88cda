"""The demo and the day, as a person meets them: through the command line, in its own processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from paymentor_assets.audit.publications import Publication, all_publications
from paymentor_assets.deployment import Deployment
from paymentor_assets.settings import Settings

PAYMENTOR = Path(sys.executable).with_name("paymentor")
ARGUMENTS = ("--customers", "100", "--days", "120", "--seed", "7")
DAY = "2026-06-30"
NEXT_DAY = "2026-07-01"


@dataclass
class Home:
    """One `$PAYMENTOR_HOME` and the command line on it."""

    root: Path

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command; returns what it printed, and fails on another exit code."""
        done = subprocess.run(
            [PAYMENTOR, *arguments],
            env={**os.environ, "PAYMENTOR_HOME": str(self.root), "PAYMENTOR_ENV": "test"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    @property
    def deployment(self) -> Deployment:
        """The doors of this home."""
        env = {"PAYMENTOR_HOME": str(self.root), "PAYMENTOR_ENV": "test"}
        return Deployment(Settings.load(env))

    def publications(self) -> list[Publication]:
        """Every publication so far."""
        return all_publications(self.deployment.lakehouse)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table's head, in a fixed order."""
        rows: list[dict[str, Any]] = self.deployment.lakehouse.scan(table).to_pylist()
        return sorted(rows, key=lambda row: json.dumps(row, default=str, sort_keys=True))

    def messages(self) -> set[str]:
        """The files in the outbox."""
        return {p.name for p in (self.root / "outbox").rglob("*.json")}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    place = Home(tmp_path_factory.mktemp("demo"))
    said = place.run("demo", *ARGUMENTS)
    for fact in (
        "files in",
        "rejected",
        "accounts ranked",
        "account-aggregator data",
        "AUC on later days",
        "offers",
    ):
        assert fact in said
    for fact in ("actions planned", "messages sent", "events back", "Where to look next"):
        assert fact in said
    yield place


def test_every_row_is_accepted_or_rejected_with_its_reason(home: Home) -> None:
    files = home.rows("raw.ingested_files")
    assert len(files) > 500
    assert all(
        f["rows_accepted"] + f["rows_rejected"] == f["rows_total"]
        for f in files
        if f["status"] == "ingested"
    )
    wrong_on_purpose = (
        (home.root / "simulator" / "meridian" / "dirty_manifest.jsonl").read_text().splitlines()
    )
    rejected = home.rows("raw.rejected_rows")
    assert len(rejected) == len(wrong_on_purpose)
    assert all(row["message"] and row["reason_code"] for row in rejected)


def test_all_that_left_was_allowed(home: Home) -> None:
    actions = home.rows("decisions.actions")
    allowed = {
        row["action_id"] for row in home.rows("decisions.dispatch_decisions")
        if row["verdict"] == "allow"
    }  # fmt: skip
    sent = {message.removesuffix(".json") for message in home.messages()}
    assert sent and sent <= allowed <= {row["action_id"] for row in actions}
    assert {row["action_id"] for row in home.rows("engagement.deliveries")} == sent


def test_a_decision_names_what_it_rests_on(home: Home) -> None:
    known = {publication.publication_id for publication in home.publications()}
    for row in home.rows("decisions.actions"):
        inputs = json.loads(row["input_publications"])
        assert inputs and set(inputs) <= known
        assert row["strategy_version"] and row["rulebook_version"]


def test_no_address_is_in_the_lake_or_the_store(home: Home) -> None:
    addresses = {
        json.loads(path.read_text())["to"].encode()
        for path in (home.root / "outbox").rglob("*.json")
    }
    assert addresses
    places = [home.root / "operational.db", home.root / "dagster", home.root / "warehouse"]
    for place in places:
        files = [place] if place.is_file() else [p for p in place.rglob("*") if p.is_file()]
        for file in files:
            content = file.read_bytes()
            assert not [a for a in addresses if a in content], f"an address is in {file}"


def test_status_says_where_the_platform_stands(home: Home) -> None:
    status = json.loads(home.run("status", "--json"))
    assert status["catalog_name"] == "lake"
    assert status["lenders"] == ["meridian"]
    assert status["last_closed_day"] == DAY
    assert status["planned_days"] == status["sealed_days"] == [DAY]
    assert status["pending_files"] == 0
    assert status["kill_switch"] is False
    assert status["catalog_uri"].startswith("sqlite:///")
    assert status["warehouse"].startswith("file://")


def test_the_day_again_changes_nothing(home: Home) -> None:
    tables = ("decisions.actions", "decisions.customer_rankings", "decisions.strategies")
    before = ([home.rows(t) for t in tables], home.publications(), home.messages())
    home.run("run", "--date", DAY)
    assert ([home.rows(t) for t in tables], home.publications(), home.messages()) == before


def test_a_typo_in_the_environment_is_told(home: Home) -> None:
    done = subprocess.run(
        [PAYMENTOR, "status"],
        env={**os.environ, "PAYMENTOR_ENV": "typo"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "local, test, staging, production" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_next_day_knows_and_a_pulled_switch_sends_nothing(home: Home) -> None:
    home.run(
        "simulate", "respond", "--world", "simulator.world:DefaultWorld", "--seed", "7",
        "--until", "2026-07-02T00:00:00+00:00", "--home", str(home.root),
    )  # fmt: skip
    home.run("kill-switch", "on", "--actor", "tester", "--reason", "nothing may leave")
    before = home.messages()
    home.run("run", "--date", NEXT_DAY)
    assert home.messages() == before
    profiles = [
        row for row in home.rows("features.customer_profile") if str(row["as_of_date"]) == NEXT_DAY
    ]
    assert any(row["last_engaged_at_utc"] is not None for row in profiles)
    status = json.loads(home.run("status", "--json"))
    assert status["planned_days"] == [DAY, NEXT_DAY]
    assert status["sealed_days"] == [DAY]
    assert status["kill_switch"] is True


def test_the_doctor_finds_nothing_wrong(home: Home) -> None:
    said = home.run("doctor")
    assert "✗" not in said
    assert "the chain holds" in said
