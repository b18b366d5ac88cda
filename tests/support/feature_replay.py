"""A simulated history lived through day by day, and the same history known all at once."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa

from paymentor_assets.audit.digest import digests_by_day
from paymentor_assets.audit.publications import RunInfo
from paymentor_assets.deployment import Deployment
from paymentor_assets.features.build import dbt_environment, plan_build, prepare, run_dbt
from paymentor_assets.features.project import load_manifest
from paymentor_assets.features.publish import STAGE
from paymentor_assets.features.scratch import open_marts
from paymentor_assets.features.tables import tables_by_stage
from paymentor_assets.ingestion.contracts.book import ContractBook
from paymentor_assets.ingestion.doors import Doors
from paymentor_assets.ingestion.ingest import ingest
from paymentor_assets.lenders import Lender, lender_named
from paymentor_assets.settings import Settings
from resources.clock import FixedClock
from resources.lakehouse import TableContract
from simulator.generate import generate

LENDER_ID = "meridian"
#: Digests of every feature table, by day and table.
Digests = dict[date, dict[str, str]]


def simulated_files(folder: Path, *, customers: int, days: int, end: date, seed: int) -> list[Path]:
    """Every landing file of a simulated lender, in the order in which they became known."""
    generate(folder, lender_id=LENDER_ID, customers=customers, days=days, end=end, seed=seed)
    files = [path for path in (folder / "landing").rglob("*") if path.is_file()]
    return sorted(files, key=lambda path: (known_at(path), path.name))


class House:
    """A home to which files come; `knows` takes them in, `features_of` builds and reads."""

    def __init__(self, root: Path, delivered: Path, lender_id: str = LENDER_ID) -> None:
        root.mkdir(parents=True)
        shutil.copytree(delivered / "lenders", root / "lenders")
        self._delivered = delivered / "landing"
        env = {"PAYMENTOR_ENV": "test", "PAYMENTOR_HOME": str(root)}
        self._deployment = Deployment(Settings.load(env))
        self.lender: Lender = lender_named(self._deployment.lenders, lender_id)

    def knows(self, files: Sequence[Path], at: datetime) -> None:
        """Take in these files at an instant, one after the other as they came."""
        landing = self._deployment.settings.landing_dir
        for path in files:
            target = landing / path.relative_to(self._delivered)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        house = self._deployment
        doors = Doors(
            house.lakehouse,
            house.store,
            house.vault,
            house.landing_zone,
            house.lenders,
            ContractBook(house.settings.lenders_dir),
            house.pgp_keys,
            house.session_keys,
        )
        ingest(doors, RunInfo("replay", "test", FixedClock(at)), lender_id=self.lender.lender_id)

    def marts_of(self, days: Sequence[date]) -> dict[TableContract, pa.Table]:
        """Build the features of these days in one dbt run, without tests, and read them."""
        settings = self._deployment.settings
        run = RunInfo("replay", "test", FixedClock(self.lender.cutoff_utc(max(days))))
        plan = plan_build(settings, self._deployment.lakehouse, self.lender, days, run)
        prepare(plan)
        run_dbt(dbt_environment(settings, plan.place), plan, ("run",))
        contracts = list(tables_by_stage(load_manifest())[STAGE].values())
        with open_marts(plan.place.scratch, contracts, self.lender.lender_id) as marts:
            return dict(marts)

    def features_of(self, days: Sequence[date]) -> Digests:
        """Digests of the features of these days."""
        found: Digests = {day: {} for day in days}
        for contract, rows in self.marts_of(days).items():
            for day, digest in digests_by_day(rows, contract).items():
                assert day is not None
                found[day][contract.name] = f"{digest.rows} rows, {digest.digest}"
        return found


def live_through(
    root: Path, *, customers: int, days: int, end: date, looked_at: Sequence[date]
) -> tuple[Digests, Digests]:
    """Features of `looked_at`: each built when only its files were there, and all at the end.

    Files come in the order in which they became known; `looked_at` is in order of time.
    """
    simulated = root / "simulated"
    files = simulated_files(simulated, customers=customers, days=days, end=end, seed=7)
    lived = House(root / "lived", simulated)
    day_by_day: Digests = {}
    taken = 0
    for day in looked_at:
        cutoff = lived.lender.cutoff_utc(day)
        known = sum(known_at(path) <= cutoff for path in files)
        lived.knows(files[taken:known], cutoff)
        taken = known
        day_by_day |= lived.features_of([day])
    afterwards = House(root / "afterwards", simulated)
    # The same keys give the same tokens.
    shutil.copytree(root / "lived" / "keys", root / "afterwards" / "keys")
    afterwards.knows(files, max(known_at(files[-1]), afterwards.lender.cutoff_utc(end)))
    return day_by_day, afterwards.features_of(looked_at)


def known_at(path: Path) -> datetime:
    """The instant in a landing file's name."""
    found = re.search(r"_(\d{8}T\d{6}Z)", path.name)
    assert found is not None, path
    return datetime.strptime(found.group(1), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
