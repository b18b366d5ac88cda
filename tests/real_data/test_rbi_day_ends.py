"""The day-ends of the RBI's circular on SMA and NPA (RBI/2021-22/125), through the real models.

Each vector is a snapshot of an account with one unpaid due date; the class that the models find at
the day-end is the published one. The vectors are read where they lie and are not copied here.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from paymentor_assets.features.build import dbt_environment, plan_build, prepare, run_dbt
from resources.duck import connect
from tests.support.raw_lake import RawLake

PROJECT_ROOT = Path(__file__).resolve().parents[2]
VECTORS = "rbi_sma_npa_vectors.csv"

Vector = dict[str, str]


@pytest.fixture(scope="module")
def vectors() -> list[Vector]:
    """The published vectors; skips (in CI: fails) where the file is absent.

    The samples of the domain lie beside the public data (`PAYMENTOR_REAL_DATA`).
    """
    data = PROJECT_ROOT / os.environ.get("PAYMENTOR_REAL_DATA", "../shared/data")
    path = data.parent / "domain" / "samples" / "portfolio" / VECTORS
    if path.is_file():
        with path.open(newline="") as lines:
            return list(csv.DictReader(lines))
    message = (
        f"The RBI vectors are not at {path.resolve()}; set PAYMENTOR_REAL_DATA to the folder data/ "
        "that has domain/ beside it."
    )
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@pytest.fixture(scope="module")
def standing(
    vectors: list[Vector], tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, date], Mapping[str, Any]]:
    """int_account_standing by account and day: account `v<n>` for each vector, with its due date
    unpaid; `part` and `all` for the first NPA, paid in part and wholly on the next day."""
    lake = RawLake(tmp_path_factory.mktemp("rbi"))
    snapshots = [_unpaid(f"v{n}", vector) for n, vector in enumerate(vectors)]
    npa = next(vector for vector in vectors if vector["expected_class"] == "NPA")
    next_day = date.fromisoformat(npa["day_end"]) + timedelta(days=1)
    for account in ("part", "all"):
        snapshots.append(_unpaid(account, npa))
        recent = {**_unpaid(account, npa), "oldest_unpaid_due_date": next_day}
        paid = {**recent, "oldest_unpaid_due_date": None, "overdue_amount": Decimal("0.00")}
        snapshots.append((paid if account == "all" else recent) | {"snapshot_date": next_day})
    days = sorted({snapshot["snapshot_date"] for snapshot in snapshots})
    for day in days:
        of_day = [snapshot for snapshot in snapshots if snapshot["snapshot_date"] == day]
        lake.deliver("raw.portfolio_accounts", lake.delivered(day), of_day)
    lake.publish(days[-1])
    plan = plan_build(lake.settings, lake.lake, lake.lender, days, lake.run())
    prepare(plan)
    chosen = ("run", "--select", "+int_account_standing")
    run_dbt(dbt_environment(lake.settings, plan.place), plan, chosen)
    with connect(plan.place.scratch, read_only=True) as con:
        found = con.execute("FROM intermediate.int_account_standing").to_arrow_table().to_pylist()
    return {(row["account_id"], row["as_of_date"]): row for row in found}


def _unpaid(account: str, vector: Vector) -> dict[str, Any]:
    """A snapshot at the day-end; the lender's own day count, here 0, must not decide."""
    return {
        "account_id": account,
        "customer_id": f"customer-{account}",
        "snapshot_date": date.fromisoformat(vector["day_end"]),
        "oldest_unpaid_due_date": date.fromisoformat(vector["due_date"]),
        "overdue_amount": Decimal("5000.00"),
        "days_past_due": 0,
    }


def test_every_published_day_end_has_its_days_and_class(
    vectors: list[Vector], standing: Mapping[tuple[str, date], Mapping[str, Any]]
) -> None:
    assert {vector["expected_class"] for vector in vectors} == {"SMA-0", "SMA-1", "SMA-2", "NPA"}
    for number, vector in enumerate(vectors):
        row = standing[f"v{number}", date.fromisoformat(vector["day_end"])]
        assert row["days_past_due"] == int(vector["days_inclusive"]), vector
        assert row["sma_class"] == vector["expected_class"], vector


def test_an_npa_is_cured_only_when_all_arrears_are_paid(
    vectors: list[Vector], standing: Mapping[tuple[str, date], Mapping[str, Any]]
) -> None:
    npa = next(vector for vector in vectors if vector["expected_class"] == "NPA")
    became = date.fromisoformat(npa["day_end"])
    part, cured = (standing[account, became + timedelta(days=1)] for account in ("part", "all"))
    assert (part["days_past_due"], part["sma_class"]) == (1, "NPA")
    assert part["npa_since_date"] == became and part["npa_cured_date"] is None
    assert (cured["days_past_due"], cured["sma_class"]) == (0, "STANDARD")
    assert cured["npa_since_date"] is None
    assert cured["npa_cured_date"] == became + timedelta(days=1)
