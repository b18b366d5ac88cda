"""A day's features are what was known on that day, whenever they are computed."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from paymentor_assets.features.project import load_manifest
from paymentor_assets.features.publish import STAGE
from paymentor_assets.features.tables import tables_by_stage
from tests.support.feature_replay import live_through

END = date(2026, 6, 30)


def test_a_history_lived_through_equals_the_same_history_looked_back_at(tmp_path: Path) -> None:
    looked_at = [END - timedelta(days=9), END]
    lived, looked_back = live_through(tmp_path, customers=25, days=14, end=END, looked_at=looked_at)
    assert lived == looked_back
    tables = {contract.name for contract in tables_by_stage(load_manifest())[STAGE].values()}
    assert all(of_day.keys() == tables for of_day in lived.values()), "rows in each table"
