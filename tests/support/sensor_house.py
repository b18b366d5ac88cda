"""A small house to sense: real lakehouse, store, landing zone and stream in a folder; fixed time.

The jobs are stand-ins of the same names and partitions, whose assets do what a test tells them to.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pyarrow as pa
from sqlalchemy import insert, update

from paymentor_assets.audit.publications import RunInfo, publish_heads
from paymentor_assets.ids import deterministic_id
from paymentor_assets.ingestion.contracts.tables import INGESTED_FILES
from paymentor_assets.ingestion.reconcile import pending
from paymentor_assets.lenders import Lender, LenderBook
from paymentor_assets.partitions import daily
from paymentor_assets.settings import Settings
from resources.clock import FixedClock, naive_utc
from resources.lakehouse import TIMESTAMP, Lakehouse, TableContract, column
from resources.landing_zone import LocalLandingZone
from resources.notifications import LocalNotifier
from resources.operational_schema import file_index
from resources.operational_store import OperationalStore
from resources.streams import LocalStream
from resources.vault import Vault

DAY = date(2026, 6, 30)
#: The cut-off of DAY for a lender in Asia/Kolkata whose day closes at 06:00.
CUTOFF = datetime(2026, 7, 1, 0, 30, tzinfo=UTC)

APPROVALS = TableContract(
    name="models.approvals",
    key=("at_utc",),
    description="Stand-in with the one property that matters here: its head moves.",
    schema=pa.schema([column("at_utc", TIMESTAMP, "When.")]),
)


def a_lender(lender_id: str = "meridian", **changes: object) -> Lender:
    """A lender contract, different from the usual one where a test says so."""
    contract: dict[str, object] = {
        "lender_id": lender_id,
        "name": lender_id.title(),
        "role": "first_party",
        "zone": "Asia/Kolkata",
        "daily_cutoff": "06:00",
        "known_at": "file_name",
        "feeds": ["portfolio", "payments", "clickstream_events"],
        "required_feeds": ["portfolio", "payments"],
        "latest_by": "09:00",
        "on_missing": "fail",
        "currencies": ["INR"],
        "slots": ["10:00"],
        "channels": {"sms": {"daily_capacity": 10, "cost": {"INR": "0.20"}}},
    }
    return Lender.model_validate(contract | changes)


def an_action(action_id: str = "action", **changes: object) -> dict[str, object]:
    """A row of the action queue, different from the usual one where a test says so."""
    moment = naive_utc(CUTOFF)
    return {
        "action_id": action_id,
        "lender_id": "meridian",
        "as_of_date": DAY,
        "customer_id": f"customer-{action_id}",
        "candidate_id": f"candidate-{action_id}",
        "kind": "contact",
        "purpose": "collections",
        "channel": "sms",
        "scheduled_at_utc": moment,
        "time_zone": "Asia/Kolkata",
        "country": "IN",
        "currency": "INR",
        "template_id": "reminder.sms",
        "language": "en",
        "address_token": "phone-1",
        "treatment": "reminder",
        "cost": Decimal("0.2"),
        "payload": "{}",
        "state_name": "planned",
        "attempt": 0,
        "plan_publication_id": "p",
        "rulebook_version": "1",
        "strategy_version": "1",
        "updated_at_utc": moment,
    } | changes


@dataclass
class House:
    """The doors a sensor is given, and hands to move things behind them."""

    home: Path
    settings: Settings
    instance: dg.DagsterInstance
    lakehouse: Lakehouse
    operational_store: OperationalStore
    landing_zone: LocalLandingZone
    streams: LocalStream
    notifier: LocalNotifier
    vault: Vault
    lenders: dict[str, Lender] | LenderBook
    clock: FixedClock
    definitions: dg.Definitions
    #: What the stand-in jobs fail with, by name.
    broken: dict[str, Exception] = field(default_factory=dict)
    #: What the stand-in jobs do, by name.
    acts: dict[str, Callable[[], None]] = field(default_factory=dict)

    def at(self, instant: datetime) -> House:
        """Set the time."""
        self.clock = FixedClock(instant)
        return self

    def resources(self) -> dict[str, object]:
        names = (
            "lakehouse",
            "operational_store",
            "landing_zone",
            "streams",
            "notifier",
            "lenders",
            "clock",
        )
        return {name: getattr(self, name) for name in names}

    def tick(self, sensor: dg.SensorDefinition, cursor: str | None = None) -> Tick:
        """One evaluation as the daemon does it: partitions and tags resolved by the job."""
        needed = {
            name: value
            for name, value in self.resources().items()
            if name in sensor.required_resource_keys
        }
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=cursor,
            definitions=self.definitions,
            resources=needed,
            sensor_name=sensor.name,
        ) as context:
            data = sensor.evaluate_tick(context)
        return Tick(list(data.run_requests or []), data.skip_message, data.cursor)

    def start(
        self,
        request: dg.RunRequest,
        job_name: str,
        status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED,
    ) -> dg.DagsterRun:
        """A run for a request, as the daemon submits it, in the state a test wants it in."""
        return self.instance.create_run_for_job(
            self.definitions.resolve_job_def(job_name), tags=dict(request.tags), status=status
        )

    def fail(self, run: dg.DagsterRun) -> None:
        """The run ends in failure."""
        self.instance.report_run_failed(run)

    def run(self, request: dg.RunRequest, job_name: str) -> dg.ExecuteInProcessResult:
        """Carry a request out with the stand-in job."""
        return self.definitions.resolve_job_def(job_name).execute_in_process(
            instance=self.instance,
            partition_key=request.partition_key,
            tags=dict(request.tags),
            raise_on_error=False,
        )

    def land(
        self,
        feed: str = "portfolio",
        day: date = DAY,
        *,
        lender_id: str = "meridian",
        delivered: str = "20260630T220000Z",
        content: str = "a\n1\n",
        suffix: str = "",
    ) -> Path:
        """Drop a file into the landing zone."""
        name = f"{feed}_{day.isoformat()}_{delivered}{suffix}.csv"
        path = self.settings.landing_dir / lender_id / feed / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def settle(self, status: str = "ingested", *, attempts: int = 1) -> int:
        """Write into the file index what an ingestion run would; returns how many files."""
        files = pending(self.landing_zone, self.operational_store)
        with self.operational_store.write() as connection:
            for file in files:
                landed = file.landed
                key = (file_index.c.uri == landed.uri) & (file_index.c.etag == landed.etag)
                if connection.execute(
                    update(file_index).where(key).values(status=status, attempts=attempts)
                ).rowcount:
                    continue
                connection.execute(
                    insert(file_index).values(
                        uri=landed.uri,
                        etag=landed.etag,
                        size_bytes=landed.size,
                        lender_id=landed.lender_id,
                        feed=landed.feed,
                        business_date=landed.business_date,
                        status=status,
                        attempts=attempts,
                        first_seen_utc=naive_utc(self.clock.now()),
                    )
                )
        return len(files)

    def publish_files(self, *files: Mapping[str, object], lender_id: str = "meridian") -> None:
        """Record files in `raw.ingested_files` and publish them, as an ingestion run does."""
        defaults: dict[str, object] = {
            "lender_id": lender_id,
            "business_date": DAY,
            "known_at": naive_utc(datetime(2026, 6, 30, 22, tzinfo=UTC)),
            "status": "ingested",
            "uri": "u",
            "etag": "e",
        }
        rows = []
        for given in files:
            row = dict.fromkeys(INGESTED_FILES.schema.names) | defaults | dict(given)
            row["file_id"] = deterministic_id(json.dumps(row, default=str, sort_keys=True))
            rows.append(row)
        run = RunInfo("run", "test", self.clock)
        snapshot = self.lakehouse.append(
            INGESTED_FILES, pa.Table.from_pylist(rows, schema=INGESTED_FILES.schema), {}
        )
        publish_heads(
            self.lakehouse,
            stage="ingestion",
            lender_id=lender_id,
            day=DAY,
            tables={INGESTED_FILES.name: snapshot},
            run=run,
        )

    def publish_decisions(self, day: date = DAY, lender_id: str = "meridian") -> None:
        """A `decisions` publication of the day."""
        publish_heads(
            self.lakehouse,
            stage="decisions",
            lender_id=lender_id,
            day=day,
            tables={"decisions.actions": 1},
            run=RunInfo("run", "test", self.clock),
        )

    def approve(self) -> None:
        """Move the head of `models.approvals`."""
        self.lakehouse.append(
            APPROVALS,
            pa.table({"at_utc": [naive_utc(self.clock.now())]}, schema=APPROVALS.schema),
            {},
        )

    def notices(self) -> dict[str, dict[str, object]]:
        """Everything that was told, by notice id."""
        folder = self.settings.alerts_dir
        return {p.stem: json.loads(p.read_text()) for p in sorted(folder.glob("*.json"))}


@dataclass(frozen=True)
class Tick:
    """What one evaluation came to."""

    requests: list[dg.RunRequest]
    skipped: str | None
    cursor: str | None

    @property
    def only(self) -> dg.RunRequest:
        (request,) = self.requests
        return request


def stand_ins(
    broken: Mapping[str, Exception], acts: Mapping[str, Callable[[], None]]
) -> dg.Definitions:
    """Jobs of the real names and partitions, whose assets fail or act on demand."""

    def made(name: str, partitions: dg.PartitionsDefinition[str] | None) -> dg.AssetsDefinition:
        @dg.asset(name=f"{name}_stand_in", partitions_def=partitions)
        def stand_in() -> None:
            if name in broken:
                raise broken[name]
            if name in acts:
                acts[name]()

        return stand_in

    partitions = {
        "ingest": None,
        "engagement": None,
        "daily": daily,
        "dispatch": daily,
        "monitoring": daily,
    }
    assets = {name: made(name, partition) for name, partition in partitions.items()}
    jobs = [
        dg.define_asset_job(name, selection=[asset], executor_def=dg.in_process_executor)
        for name, asset in assets.items()
    ]
    return dg.Definitions(assets=list(assets.values()), jobs=jobs)


@contextmanager
def opened(home: Path) -> Iterator[House]:
    """A house in an empty folder, with one lender, at the cut-off of DAY."""
    settings = Settings.load({"PAYMENTOR_ENV": "test", "PAYMENTOR_HOME": str(home)})
    settings.lakehouse_dir.mkdir(parents=True)
    store = OperationalStore(settings.operational_url)
    vault = Vault(
        settings.vault_url,
        vault_key=lambda: bytes(64),
        token_key=lambda: bytes(64),
        on_reveal=lambda _: None,
    )
    broken: dict[str, Exception] = {}
    acts: dict[str, Callable[[], None]] = {}
    with dg.DagsterInstance.ephemeral() as instance:
        yield House(
            home=home,
            settings=settings,
            instance=instance,
            lakehouse=Lakehouse(settings.catalog_properties),
            operational_store=store,
            landing_zone=LocalLandingZone(settings.landing_dir),
            streams=LocalStream(settings.stream_dir),
            notifier=LocalNotifier(settings.alerts_dir),
            vault=vault,
            lenders={"meridian": a_lender()},
            clock=FixedClock(CUTOFF),
            definitions=stand_ins(broken, acts),
            broken=broken,
            acts=acts,
        )
    vault.close()
    store.close()
