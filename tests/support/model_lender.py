"""A small lender for tests of models and rankings: lakehouse, registry, published features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from paymentor_assets.audit.publications import (
    Publication,
    RunInfo,
    publish_days,
    publish_heads,
)
from paymentor_assets.features.publish import LABELS, STAGE, Published
from paymentor_assets.ingestion.contracts.tables import raw_tables
from paymentor_assets.lenders import ChannelTerms, Lender
from paymentor_assets.models.development import development_lakehouse
from resources.clock import FixedClock
from resources.lakehouse import Lakehouse
from resources.operational_store import OperationalStore
from resources.registry import ModelRegistry
from tests.support.feature_days import CHANNELS, LENDER, contract, feature_tables

CLOCK = FixedClock(datetime(2026, 7, 1, 1, 0, tzinfo=UTC))
RUN = RunInfo("run-1", "code-1", CLOCK)
SALT_KEY = b"k" * 64


@dataclass(frozen=True)
class ModelLender:
    """The doors that models and rankings use, in one temporary folder."""

    home: Path
    lake: Lakehouse
    development: Lakehouse
    registry: ModelRegistry
    store: OperationalStore
    lender: Lender


def lakehouse(folder: Path) -> Lakehouse:
    """An empty lakehouse in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return Lakehouse(
        {"type": "sql", "uri": f"sqlite:///{folder}/catalog.db", "warehouse": f"file://{folder}"}
    )


def model_lender(home: Path) -> ModelLender:
    """A lender with nothing published yet."""
    terms = {c: ChannelTerms(daily_capacity=100, cost={"INR": Decimal(1)}) for c in CHANNELS}
    return ModelLender(
        home=home,
        lake=lakehouse(home / "lakehouse"),
        development=development_lakehouse(home / "development"),
        registry=ModelRegistry(home / "registry"),
        store=OperationalStore(f"sqlite:///{home}/operational.db"),
        lender=Lender(
            lender_id=LENDER,
            name="Meridian",
            role="first_party",
            zone="Asia/Kolkata",
            daily_cutoff=time(6),
            feeds=["portfolio", "payments"],
            required_feeds=["portfolio"],
            latest_by=time(9),
            currencies=["INR"],
            slots=[time(10)],
            channels=terms,
        ),
    )


def publish_features(
    place: ModelLender,
    days: Sequence[date],
    *,
    customers: int = 120,
    seed: int = 1,
    lacking: str = "",
) -> Published:
    """Publish invented features of these days, without the column `lacking`, and their outcomes."""
    tables = {
        name: table.drop([lacking]) if lacking in table.column_names else table
        for name, table in feature_tables(customers, days, seed=seed).items()
    }
    labels = {"features.repayment_labels": tables.pop("features.repayment_labels")}
    return Published(_publish(place, STAGE, days, tables), _publish(place, LABELS, days, labels))


def take_in(place: ModelLender, day: date, events: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """Publish events as ingested through `day`; returns the raw rows by table."""
    snapshots, found = {}, {}
    for name, rows in events.items():
        raw = raw_tables()[name]
        columns = {
            field.name: rows.column(field.name)
            if field.name in rows.column_names
            else pa.array([LENDER] * rows.num_rows)
            if field.name == "_lender_id"
            else pa.nulls(rows.num_rows, field.type)
            for field in raw.schema
        }
        found[name] = pa.table(columns).cast(raw.schema)
        snapshots[name] = place.lake.append(raw, found[name], {})
    publish_heads(
        place.lake, stage="ingestion", lender_id=LENDER, day=day, tables=snapshots, run=RUN
    )
    return found


def _publish(
    place: ModelLender, stage: str, days: Sequence[date], tables: Mapping[str, pa.Table]
) -> Publication:
    return publish_days(
        place.lake,
        stage=stage,
        lender_id=LENDER,
        days=days,
        tables={contract(name, rows): rows for name, rows in tables.items()},
        inputs=["ingestion-1"],
        run=RUN,
    )
