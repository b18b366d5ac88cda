"""The guide for changing a feature does what it says, and publishes nothing.

A developer's scratch is old more often than not: before the guide this one is built for another day
and from the SQL as it was, after the guide from SQL that is wrong.
"""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

from paymentor_assets.audit.publications import all_publications
from paymentor_assets.features.build import build_features
from paymentor_assets.features.tables import feature_tables
from paymentor_assets.settings import PROJECT_ROOT
from tests.integration.features.conftest import DAY, deliver_day, payment
from tests.support.guides import lasting, steps, walk
from tests.support.raw_lake import RawLake

_BUILD = "dbt build -s account_features --vars '{as_of_date: %s}'"
ANOTHER_DAY = f"""cd dbt_project
../.venv/bin/{_BUILD % (DAY - timedelta(days=1))} | grep -o 'Built .*'
cd .."""
WRONG_SQL = f"""cd dbt_project
sed -i 's/paid_amount >= 100/paid_amuont >= 100/' models/intermediate/accounts/int_*_payments.sql
! ../.venv/bin/{_BUILD % DAY}"""
GUIDE = PROJECT_ROOT / "docs" / "guides" / "change-a-feature.md"


def test_every_command_of_the_guide_says_what_the_guide_shows(tmp_path: Path) -> None:
    project = _copy_of_the_project(tmp_path / "project")
    raw = _published_lake(project / ".paymentor")
    before = _published(raw)

    told = steps(GUIDE)
    assert len(told) > 3
    guide = [commands for commands, _ in told]
    built, *said, refused = walk([ANOTHER_DAY, *guide, WRONG_SQL], tmp_path, project)
    assert "int_account_payments, " in built
    assert "account_features" not in built
    assert "int_account_payments could not be built." in refused
    for (commands, output), real in zip(told, said, strict=True):
        assert lasting(real, tmp_path) == lasting(output, tmp_path), commands
    assert _published(raw) == before


def _copy_of_the_project(folder: Path) -> Path:
    # The guide edits models.
    for part in ("dbt_project", "paymentor_assets", "resources"):
        unneeded = shutil.ignore_patterns("__pycache__", "logs", "compiled", "run")
        shutil.copytree(PROJECT_ROOT / part, folder / part, ignore=unneeded)
    return folder


def _published_lake(home: Path) -> RawLake:
    """Features of DAY, on which both accounts made a small payment."""
    home.mkdir()
    raw = RawLake(home)
    for ordinal in range(date(2026, 6, 8).toordinal(), DAY.toordinal()):
        deliver_day(raw, date.fromordinal(ordinal))
    deliver_day(raw, DAY)
    small = [payment(f"P-{DAY}", "A1", DAY, "40.00"), payment("P-small", "A2", DAY, "50.00")]
    raw.deliver("raw.payments", raw.delivered(DAY), small)
    raw.publish(DAY)
    build_features(raw.settings, raw.lake, raw.lender, [DAY], raw.run())
    return raw


def _published(raw: RawLake) -> dict[str, int | None]:
    heads = {name: raw.lake.head(name) for name in feature_tables()}
    return {**heads, "publications": len(all_publications(raw.lake))}
