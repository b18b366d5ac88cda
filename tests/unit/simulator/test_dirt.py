"""Wrong rows: take away what the manifest names, and the clean lender is left, byte for byte."""

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from simulator.dirt import CONSENT_FAULTS, DEPOSIT_FAULTS, FAULTS
from simulator.lender import FEEDS
from tests.unit.simulator.conftest import Home

JSON_FEEDS = ("aa_consents", "aa_deposits")


@pytest.fixture(scope="module")
def manifest(dirty: Home) -> list[dict[str, Any]]:
    """The manifest's lines."""
    path = dirty.path / "simulator" / "meridian" / "dirty_manifest.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def _by_file(manifest: list[dict[str, Any]]) -> dict[str, dict[int, dict[str, Any]]]:
    result: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
    for entry in manifest:
        assert entry["row_number"] not in result[entry["file"]]
        result[entry["file"]][entry["row_number"]] = entry
    return result


def test_taking_the_wrong_rows_away_leaves_the_clean_csv(
    clean: Home, dirty: Home, manifest: list[dict[str, Any]]
) -> None:
    wrong = _by_file(manifest)
    compared = 0
    for feed in FEEDS:
        if feed in JSON_FEEDS:
            continue
        for path in dirty.files(feed):
            lines = path.read_bytes().splitlines(keepends=True)
            kept = [line for n, line in enumerate(lines) if n not in wrong[path.name]]
            assert b"".join(kept) == _twin(clean, feed, path).read_bytes()
            compared += 1
    assert compared > 300


def test_taking_the_wrong_records_away_leaves_the_clean_json(
    clean: Home, dirty: Home, manifest: list[dict[str, Any]]
) -> None:
    wrong = _by_file(manifest)
    for feed in JSON_FEEDS:
        for path in dirty.files(feed):
            expected = [
                record
                for line in _twin(clean, feed, path).read_text().splitlines()
                for record in _records(line)
            ]
            actual = [record for line in path.read_text().splitlines() for record in _records(line)]
            kept = [r for n, r in enumerate(actual, start=1) if n not in wrong[path.name]]
            assert kept == expected


def _twin(clean: Home, feed: str, path: Path) -> Path:
    return clean.path / "landing" / "meridian" / feed / path.name


def _records(line: str) -> list[Any]:
    """An account and then its transactions; a line that does not parse is one record."""
    try:
        document = json.loads(line)
    except json.JSONDecodeError:
        return [line]
    transactions = document.get("account", {}).get("transactions", {}).pop("transaction", [])
    return [document, *transactions]


def test_every_duplicate_follows_its_original(dirty: Home, manifest: list[dict[str, Any]]) -> None:
    for entry in manifest:
        if entry["reason_code"] == "DUPLICATE_KEY" and entry["feed"] not in JSON_FEEDS:
            path = dirty.path / "landing" / "meridian" / entry["feed"] / entry["file"]
            lines = path.read_bytes().splitlines()
            assert lines[entry["row_number"]] in lines[1 : entry["row_number"]]


def test_about_the_stated_share_is_wrong(dirty: Home, manifest: list[dict[str, Any]]) -> None:
    own = [entry for entry in manifest if entry["reason_code"] != "PARENT_REJECTED"]
    portfolio = sum(len(p.read_bytes().splitlines()) - 1 for p in dirty.files("portfolio"))
    wrong = sum(entry["feed"] == "portfolio" for entry in own)
    assert 0.015 < wrong / portfolio < 0.025


def test_every_way_to_be_wrong_occurs(manifest: list[dict[str, Any]]) -> None:
    found = Counter((entry["feed"], entry["reason_code"], entry["column"]) for entry in manifest)
    for feed in ("portfolio", "clickstream_events", "contact_permissions"):
        for fault in FAULTS[feed][1]:
            assert found[feed, fault.reason_code, fault.column], fault
    for fault in DEPOSIT_FAULTS:
        assert found["aa_deposits", fault.reason_code, fault.column], fault
    assert {reason for feed, reason, _ in found if feed == "aa_consents"} <= {
        fault.reason_code for fault in CONSENT_FAULTS
    }


def test_a_clean_lender_has_an_empty_manifest(clean: Home) -> None:
    assert (clean.path / "simulator/meridian/dirty_manifest.jsonl").read_bytes() == b""
