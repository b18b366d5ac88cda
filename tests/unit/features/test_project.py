"""The dbt project on disk: its manifest and its version."""

from __future__ import annotations

from pathlib import Path

import pytest

from paymentor_assets.features.project import PROJECT_DIR, code_version, require_manifest
from resources.errors import SettingsError


def test_an_absent_manifest_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="make setup"):
        require_manifest(tmp_path / "manifest.json")


def test_the_version_follows_the_sql(tmp_path: Path) -> None:
    for name, text in {
        "dbt_project.yml": "name: x",
        "models/a.sql": "select 1",
        "macros/m.sql": "select 2",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    code_version.cache_clear()
    before = code_version(tmp_path)
    (tmp_path / "models" / "notes.md").write_text("not code")
    code_version.cache_clear()
    assert code_version(tmp_path) == before
    (tmp_path / "models" / "a.sql").write_text("select 3")
    code_version.cache_clear()
    assert code_version(tmp_path) != before


#: Engines read these differently, or do not read them at all; see macros/engine.
FORBIDDEN = ("::", "qualify ", "dateadd(", "datediff(", "date_diff(", "strftime(", "epoch(")


@pytest.mark.parametrize(
    "path", sorted((PROJECT_DIR / "models").rglob("*.sql")), ids=lambda p: p.stem
)
def test_models_are_written_for_two_engines(path: Path) -> None:
    text = path.read_text().lower()
    assert [word for word in FORBIDDEN if word in text] == []
    assert text.count("order by") <= text.count("nulls "), f"{path.name}: say where nulls go"
