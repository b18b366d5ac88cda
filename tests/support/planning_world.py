"""An invented lender with features, rankings and facts published for one day, for planning tests.

Day D is 2026-06-01 in India; it closes at 06:00 IST on 2026-06-02, when it is planned. Who its
customers are is in `planning_people`, the tables they are published to in `planning_tables`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from paymentor_assets.audit.publications import RunInfo, publish_days, publish_heads
from paymentor_assets.lenders import Lender
from paymentor_assets.strategies.plan import PlanResult, plan_day
from resources.clock import FixedClock
from resources.lakehouse import Lakehouse
from resources.operational_store import OperationalStore
from tests.support.planning_people import People, permission_rows
from tests.support.planning_tables import (
    ACCOUNTS,
    CHANNELS,
    CUTOFF,
    DAY,
    FILES,
    LENDER,
    LONG_AGO,
    PREFERENCES,
    PROFILE,
    RANKINGS,
    RAW,
)


def make_lender(**changes: object) -> Lender:
    """Meridian, with a capacity of 1,000 contacts a channel."""
    cost = {"INR": "0.25", "USD": "0.01"}
    return Lender.model_validate(
        {
            "lender_id": LENDER,
            "name": "Meridian Finance",
            "role": "first_party",
            "zone": "Asia/Kolkata",
            "daily_cutoff": "06:00",
            "feeds": ["portfolio", "payments", *RAW],
            "required_feeds": ["portfolio"],
            "latest_by": "09:00",
            "currencies": ["INR", "USD"],
            "slots": ["09:00", "12:00", "15:00", "18:00"],
            "channels": {name: {"daily_capacity": 1000, "cost": cost} for name in CHANNELS},
        }
        | changes
    )


@dataclass
class PlanningWorld:
    """A lakehouse and an operational store in which one day can be planned."""

    root: Path
    lender: Lender = field(default_factory=make_lender)

    def __post_init__(self) -> None:
        folder = self.root / "lakehouse"
        folder.mkdir(parents=True, exist_ok=True)
        self.lake = Lakehouse(
            {
                "type": "sql",
                "uri": f"sqlite:///{folder}/catalog.db",
                "warehouse": f"file://{folder}",
            }
        )
        self.store = OperationalStore(f"sqlite:///{self.root}/operational.db")
        self.clock = FixedClock(CUTOFF)
        self._deliveries = 0

    def run(self, name: str = "run-1") -> RunInfo:
        return RunInfo(name, "test", self.clock)

    def publish_people(self, people: People, day: date = DAY) -> None:
        tables = people.tables()
        features = publish_days(
            self.lake,
            stage="features",
            lender_id=LENDER,
            days=[day],
            tables={c: tables[c] for c in (PROFILE, ACCOUNTS)},
            inputs=[],
            run=self.run(),
        )
        publish_days(
            self.lake,
            stage="rankings",
            lender_id=LENDER,
            days=[day],
            tables={c: tables[c] for c in (RANKINGS, PREFERENCES)},
            inputs=[features.publication_id],
            run=self.run(),
        )

    def deliver(self, known_at: datetime = LONG_AGO, **feeds: Sequence[dict[str, Any]]) -> None:
        """Deliver rows (or an empty file) of raw feeds, known at an instant."""
        tables: dict[str, int] = {}
        files = []
        for feed, rows in feeds.items():
            self._deliveries += 1
            file_id = f"file-{self._deliveries:04d}"
            files.append(
                {
                    "file_id": file_id,
                    "lender_id": LENDER,
                    "feed": feed,
                    "status": "ingested",
                    "known_at": known_at,
                }
            )
            provenance = {
                "_file_id": file_id,
                "_known_at": known_at,
                "_ingested_at": known_at,
                "_lender_id": LENDER,
            }
            if rows:
                complete = [row | provenance | {"_row_number": i} for i, row in enumerate(rows, 1)]
                table = pa.Table.from_pylist(complete, RAW[feed].schema)
                tables[RAW[feed].name] = self.lake.append(RAW[feed], table, {})
        tables[FILES.name] = self.lake.append(FILES, pa.Table.from_pylist(files, FILES.schema), {})
        publish_heads(
            self.lake, stage="ingestion", lender_id=LENDER, day=DAY, tables=tables, run=self.run()
        )

    def set_up(
        self, count: int = 12, change: Callable[[People], None] | None = None
    ) -> PlanningWorld:
        """Publish `count` customers and deliver facts that allow everything."""
        people = People.invent(count)
        if change is not None:
            change(people)
        self.publish_people(people)
        self.deliver(
            contact_permissions=permission_rows([row["customer_id"] for row in people.profile]),
            dnd_registry=[],
            blacklist=[],
            fraud_reports=[],
            contact_history=[],
        )
        return self

    def plan(self, run: str = "run-1", day: date = DAY) -> PlanResult:
        return plan_day(self.lake, self.store, self.lender, day, self.run(run))
