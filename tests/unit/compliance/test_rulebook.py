"""The rulebook as data: it loads, its version means its content, and it refuses nonsense."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from paymentor_assets.compliance.predicates import compile_clause
from paymentor_assets.compliance.rules import Rule, Rulebook
from resources.errors import GateError

_RULE = {
    "id": "X-HOURS",
    "version": 1,
    "title": "Hours.",
    "effective_from": "2020-01-01",
    "predicate": {"kind": "local_hours_outside", "opens": "08:00", "closes": "19:00"},
    "waiting_cures": True,
    "source": "test",
}


def _rule(**changes: object) -> Rule:
    return Rule.model_validate(_RULE | changes)


def test_the_shipped_rulebook_loads_and_every_clause_compiles() -> None:
    rulebook = Rulebook.load()

    ids = {rule.id for rule in rulebook.rules}
    assert {
        "KILL-SWITCH", "IN-HOURS", "IN-DPDP", "IN-DND", "US-HOURS", "US-MEDIUM", "US-CALL-7x7",
        "US-CALL-CONV", "US-DNC", "MA-2x7", "WA-3", "NYC-3x7", "FL",
    } <= ids  # fmt: skip
    for bit, rule in enumerate(rulebook.rules):
        assert compile_clause(bit, rule).violation.violated
        assert rule.source


def test_the_version_follows_the_meaning_not_the_layout(tmp_path: Path) -> None:
    page = (
        "rules:\n- {id: K, version: 1, title: t, effective_from: 2020-01-01, source: s,"
        " predicate: {kind: kill_switch_on}}\n"
    )
    versions = []
    for name, text in {
        "a": page,
        "b": "# a comment\n" + page,
        "c": page.replace("version: 1", "version: 2"),
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "house.yaml").write_text(text)
        versions.append(Rulebook.load(folder).version)

    assert versions[0] == versions[1] != versions[2]


def test_rules_in_force_follow_their_dates() -> None:
    rulebook = Rulebook.load()

    def names(day: date) -> set[str]:
        return {f"{r.name}@{r.version}" for r in rulebook.in_force(day)}

    assert "NYC-3x7@1" not in names(date(2026, 8, 31))
    assert "NYC-3x7@1" in names(date(2026, 9, 1))
    assert {"FL/hours@1"} == {n for n in names(date(2025, 5, 15)) if n.startswith("FL/hours")}
    assert {"FL/hours@2"} == {n for n in names(date(2025, 5, 16)) if n.startswith("FL/hours")}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"predicate": {"kind": "blacklisted"}}, "not cured by waiting"),
        ({"effective_to": "2020-01-01"}, "not after effective_from"),
        ({"states": ["WA"]}, "exactly one country"),
        (
            {"predicate": {"kind": "local_hours_outside", "opens": "19:00", "closes": "08:00"}},
            "not before",
        ),
        ({"predicate": {"kind": "moon_is_full"}}, "moon_is_full"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_rule_that_means_nothing_is_refused(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        _rule(**changes)


def test_two_versions_in_force_on_one_day_are_refused() -> None:
    switch = _rule(id="K", predicate={"kind": "kill_switch_on"}, waiting_cures=False)
    with pytest.raises(ValidationError, match="in force on the same day"):
        Rulebook.of([switch, _rule(), _rule(version=2, effective_from="2021-01-01")])


def test_a_rulebook_without_a_kill_switch_is_refused() -> None:
    with pytest.raises(ValidationError, match="kill switch"):
        Rulebook.of([_rule()])


def test_a_malformed_page_names_file_and_field(tmp_path: Path) -> None:
    (tmp_path / "house.yaml").write_text("rules: [{id: X, version: zero}]")

    with pytest.raises(GateError, match=r"house\.yaml.*rules\.0\.version"):
        Rulebook.load(tmp_path)


def test_an_empty_folder_is_not_an_empty_rulebook(tmp_path: Path) -> None:
    with pytest.raises(GateError, match="nothing may leave"):
        Rulebook.load(tmp_path)
