"""A lender and its folder, for benchmarks of whole ingestion runs."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from benchmarks.measure import report
from paymentor_assets.audit.publications import RunInfo
from paymentor_assets.ingestion.contracts.book import ContractBook
from paymentor_assets.ingestion.doors import Doors
from paymentor_assets.ingestion.ingest import ingest
from paymentor_assets.lenders import Lender
from resources.clock import FixedClock
from resources.lakehouse import Lakehouse
from resources.landing_zone import LocalLandingZone
from resources.openpgp import PgpKeys
from resources.operational_store import OperationalStore
from resources.session_keys import SessionKeys
from resources.vault import Vault

NOW = datetime(2026, 7, 1, 1, 0, tzinfo=UTC)
#: A key of the benchmarks; nothing real is ever sealed with it.
KEY = b"k" * 64
LENDER = Lender.model_validate(
    {
        "lender_id": "bench",
        "name": "Benchmark",
        "role": "first_party",
        "zone": "Asia/Kolkata",
        "daily_cutoff": "06:00:00",
        "feeds": ["portfolio", "payments"],
        "required_feeds": [],
        "latest_by": "09:00:00",
        "currencies": ["INR"],
        "slots": ["10:00:00"],
        "channels": {"email": {"daily_capacity": 1, "cost": {"INR": "0.1"}}},
    }
)


def lake(home: Path) -> Lakehouse:
    """A lakehouse in a folder."""
    home.mkdir(parents=True, exist_ok=True)
    return Lakehouse(
        {"type": "sql", "uri": f"sqlite:///{home}/catalog.db", "warehouse": f"file://{home}"}
    )


def landing(home: Path, feed: str, name: str) -> Path:
    """Where a file of a feed lands."""
    path = home / "landing/bench" / feed / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def take_in(home: Path) -> None:
    """Take in everything that waits under `home`, and print what that cost."""
    store = OperationalStore(f"sqlite:///{home}/operational.db")
    vault = Vault(
        f"sqlite:///{home}/vault.db",
        vault_key=lambda: KEY,
        token_key=lambda: KEY,
        on_reveal=lambda _: None,
    )

    def work() -> None:
        result = ingest(
            Doors(
                lake(home / "lakehouse"),
                store,
                vault,
                LocalLandingZone(home / "landing"),
                {"bench": LENDER},
                ContractBook(home / "lenders"),
                partial(PgpKeys.load, home / "keys"),
                partial(SessionKeys, home / "keys"),
            ),
            RunInfo("bench", "1", FixedClock(NOW)),
            lender_id="bench",
        )
        bad = [f.message for f in result.files if f.status != "ingested"]
        if bad or not result.files:
            raise RuntimeError(f"the benchmark's own files were not taken: {bad[:3]}")

    report(work)
    vault.close()
    store.close()
