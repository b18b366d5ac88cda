"""Every column of a mart says what `column_words.md` asks of it, in words that others can read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from paymentor_assets.features.project import PROJECT_DIR

MARTS = PROJECT_DIR / "models" / "marts"
OWNERS = {"team:data-engineering", "team:data-science", "team:risk"}
CREDIT = {"allowed", "excluded"}
TAGS = {"aa_derived", "protected_proxy"}
#: What stands for a protected characteristic whatever mart it is in.
PROTECTED = re.compile(
    r"birth|gender|sex|religion|caste|marital|language|postal|^city$|^state$|^country$|time_zone"
    r"|spend_share_health"
)


def _columns() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(MARTS.glob("*.yml")):
        for model in yaml.safe_load(path.read_text())["models"]:
            for column in model["columns"]:
                yield f"{model['name']}.{column['name']}", column


COLUMNS = dict(_columns())


def _tags(column: dict[str, Any]) -> set[str]:
    return set(column.get("config", {}).get("tags", []))


def _words(of: str) -> set[str]:
    """The words that the paragraph of a key lists, in backticks before their meaning."""
    text = (MARTS / "column_words.md").read_text()
    (paragraph,) = (p for p in text.split("\n\n") if p.startswith(f"`{of}`"))
    return set(re.findall(r"`([a-z_0-9]+)`", paragraph)) - {of, "currency_column"}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_says_what_it_is_and_what_it_may_be_used_for(name: str) -> None:
    column = COLUMNS[name]
    meta = column.get("config", {}).get("meta", {})
    assert set(meta) == {"unit", "null_means", "owner", "pii_class", "credit_decision"}
    assert meta["unit"] in _words("unit")
    assert meta["null_means"] in _words("null_means")
    assert meta["pii_class"] in _words("pii_class")
    assert meta["owner"] in OWNERS and meta["credit_decision"] in CREDIT
    is_not_null = {"type": "not_null"} in column.get("constraints", [])
    assert is_not_null == (meta["null_means"] == "never")
    assert _tags(column) <= TAGS
    if column["data_type"].startswith("decimal"):
        assert meta["unit"] == "currency"


def test_protected_proxies_are_marked_and_excluded() -> None:
    marked = {name for name, column in COLUMNS.items() if "protected_proxy" in _tags(column)}
    assert marked == {name for name in COLUMNS if PROTECTED.search(name.split(".")[1])}
    allowed = {
        name
        for name, column in COLUMNS.items()
        if column["config"]["meta"]["credit_decision"] == "allowed"
    }
    assert marked and not marked & allowed
