"""A small lender with a queue, a vault, an outbox and a stream, for tests of engagement.

Day D is 2026-06-01 in India; its plan is carried out on 2026-06-02. Everybody has permission for
everything unless a test says otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlalchemy import insert, select, update

from paymentor_assets.audit.publications import RunInfo, publish_heads
from paymentor_assets.compliance.rules import Rulebook
from paymentor_assets.engagement.dispatch import dispatch_day, dispatch_due
from paymentor_assets.engagement.dispatch_result import DispatchResult
from paymentor_assets.ids import deterministic_id
from paymentor_assets.lenders import Lender
from resources.channels import Channel, local_channels
from resources.clock import naive_utc
from resources.lakehouse import TIMESTAMP, Lakehouse, TableContract, column
from resources.operational_schema import (
    actions,
    controls,
    deliveries,
    dispatch_verdicts,
    suppressions,
)
from resources.operational_store import OperationalStore
from resources.streams import LocalStream
from resources.vault import Reveal, Vault

DAY = date(2026, 6, 1)
#: 10:00 in India on D+1.
SLOT = datetime(2026, 6, 2, 4, 30, tzinfo=UTC)
LONG_AGO = datetime(2026, 5, 1, tzinfo=UTC).replace(tzinfo=None)
CHANNELS = ("email", "sms", "whatsapp", "voice")
PURPOSES = ("collections", "marketing")

_PROVENANCE = [
    column("_file_id", pa.string(), "file"),
    column("_row_number", pa.int64(), "row"),
    column("_known_at", TIMESTAMP, "known"),
    column("_ingested_at", TIMESTAMP, "ingested"),
    column("_lender_id", pa.string(), "lender"),
]


def _raw(feed: str, *columns: tuple[str, pa.DataType]) -> TableContract:
    fields = [column(name, kind, name) for name, kind in columns]
    return TableContract(
        f"raw.{feed}", pa.schema([*fields, *_PROVENANCE]), (columns[0][0],), f"Test {feed}."
    )


PERMISSIONS = _raw(
    "contact_permissions",
    ("permission_id", pa.string()),
    ("customer_id", pa.string()),
    ("channel", pa.string()),
    ("purpose", pa.string()),
    ("status", pa.string()),
    ("effective_at_utc", TIMESTAMP),
    ("source", pa.string()),
)
DND = _raw(
    "dnd_registry",
    ("phone_token", pa.string()),
    ("registry", pa.string()),
    ("categories", pa.string()),
    ("listed_date", pa.date32()),
    ("delisted_date", pa.date32()),
)
BLACKLIST = _raw(
    "blacklist",
    ("customer_id", pa.string()),
    ("reason", pa.string()),
    ("listed_date", pa.date32()),
    ("delisted_date", pa.date32()),
)
FRAUD = _raw(
    "fraud_reports",
    ("report_id", pa.string()),
    ("customer_id", pa.string()),
    ("account_id", pa.string()),
    ("reported_date", pa.date32()),
    ("kind", pa.string()),
    ("status", pa.string()),
)


class ManualClock:
    """A clock that a test moves."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def advance_to(self, instant: datetime) -> None:
        self.at = max(self.at, instant)


def make_lender(**changes: object) -> Lender:
    cost = {"INR": "0.2500", "USD": "0.0100"}
    return Lender.model_validate(
        {
            "lender_id": "meridian",
            "name": "Meridian Finance",
            "role": "first_party",
            "zone": "Asia/Kolkata",
            "daily_cutoff": "06:00",
            "feeds": [
                "portfolio", "contact_permissions", "dnd_registry", "blacklist", "fraud_reports",
            ],
            "required_feeds": ["portfolio"],
            "latest_by": "09:00",
            "currencies": ["INR", "USD"],
            "slots": ["10:00", "15:00", "18:00"],
            "channels": {name: {"daily_capacity": 1000, "cost": cost} for name in CHANNELS},
        }
        | changes
    )  # fmt: skip


def address_of(customer_id: str, channel: str) -> str:
    number = int(deterministic_id(customer_id)[:8], 16) % 10**9
    return f"{customer_id}@example.com" if channel == "email" else f"+919{number:09d}"


def token_of(customer_id: str, channel: str) -> str:
    kind = "email" if channel == "email" else "phone"
    return f"{kind}-{deterministic_id('token', customer_id, kind)}"


def at(*parts: int) -> datetime:
    """An instant as stored: naive UTC."""
    return datetime(*parts, tzinfo=UTC).replace(tzinfo=None)  # type: ignore[arg-type,misc]


@dataclass
class World:
    """Everything a dispatcher or event reader needs, on disk under one folder."""

    root: Path
    store: OperationalStore
    lender: Lender = field(default_factory=make_lender)
    clock: ManualClock = field(default_factory=lambda: ManualClock(SLOT))
    reveals: list[Reveal] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.root / "lakehouse").mkdir(exist_ok=True)
        self.lake = self.open_lake()
        self.vault = Vault(
            f"sqlite:///{self.root}/vault.db",
            vault_key=lambda: b"v" * 64,
            token_key=lambda: b"t" * 64,
            on_reveal=self.reveals.append,
        )
        self.channels: Mapping[str, Channel] = local_channels(self.root / "outbox")
        self.stream = LocalStream(self.root / "stream")
        self.rulebook = Rulebook.load()
        self.lenders = {self.lender.lender_id: self.lender}

    @property
    def run(self) -> RunInfo:
        return RunInfo("run-1", "test", self.clock)

    def open_lake(self) -> Lakehouse:
        folder = self.root / "lakehouse"
        return Lakehouse(
            {
                "type": "sql",
                "uri": f"sqlite:///{folder}/catalog.db",
                "warehouse": f"file://{folder}",
            }
        )

    def publish_permissions(
        self,
        customers: Sequence[str],
        *,
        status: str = "granted",
        known_at: datetime = LONG_AGO,
    ) -> None:
        """Deliver permission statements, and (once) the registries without an entry for them."""
        rows = [
            {
                "permission_id": deterministic_id(customer, channel, purpose, status, known_at),
                "customer_id": customer,
                "channel": channel,
                "purpose": purpose,
                "status": status,
                "effective_at_utc": known_at,
                "source": "test",
                **_provenance(number, known_at),
            }
            for number, (customer, channel, purpose) in enumerate(
                (cu, ch, pu) for cu in customers for ch in CHANNELS for pu in PURPOSES
            )
        ]
        tables = {
            PERMISSIONS.name: self.lake.append(
                PERMISSIONS, pa.Table.from_pylist(rows, PERMISSIONS.schema), {}
            )
        }
        if not self.lake.exists(DND.name):
            tables |= {
                contract.name: self.lake.append(
                    contract, pa.Table.from_pylist([row], contract.schema), {}
                )
                for contract, row in _somebody_else().items()
            }
        publish_heads(
            self.lake,
            stage="ingestion",
            lender_id=self.lender.lender_id,
            day=DAY,
            tables=tables,
            run=self.run,
        )

    def plan(self, customer: str, *, channel: str = "sms", **changes: Any) -> str:
        """Put an action into the queue and its address into the vault; returns its id."""
        action_id = deterministic_id(
            "action", customer, channel, *sorted(map(str, changes.items()))
        )
        token = token_of(customer, channel)
        self.vault.seal({token: address_of(customer, channel)})
        payload = {
            "overdue_amount": "1500.00",
            "days_past_due": 12,
            "amount_due": "1500.00",
            "locality": "elsewhere",
        }
        row = {
            "action_id": action_id,
            "lender_id": self.lender.lender_id,
            "as_of_date": DAY,
            "account_id": f"ACC-{customer}",
            "customer_id": customer,
            "candidate_id": deterministic_id("candidate", action_id),
            "kind": "contact",
            "purpose": "collections",
            "channel": channel,
            "scheduled_at_utc": naive_utc(SLOT),
            "time_zone": "Asia/Kolkata",
            "country": "IN",
            "state": "MH",
            "product": "personal_loan",
            "currency": "INR",
            "template_id": f"reminder.{channel}",
            "language": "en",
            "address_token": token,
            "treatment": "reminder",
            "cost": Decimal("0.2500"),
            "payload": json.dumps(payload),
            "state_name": "planned",
            "attempt": 0,
            "lease_until_utc": None,
            "plan_publication_id": "plan-1",
            "rulebook_version": self.rulebook.version,
            "strategy_version": "s1",
            "updated_at_utc": naive_utc(SLOT),
        } | changes
        with self.store.write() as connection:
            connection.execute(insert(actions).values(**row))
        return action_id

    def set_kill_switch(self, value: str) -> None:
        with self.store.write() as connection:
            connection.execute(
                insert(controls).values(
                    name="kill_switch",
                    value=value,
                    actor="risk officer",
                    reason="test",
                    at_utc=naive_utc(self.clock.now()),
                )
            )

    def dispatch(self, **changes: Any) -> DispatchResult:
        """Everything due now."""
        arguments = self._arguments() | changes
        until = arguments.pop("until", self.clock.now())
        return dispatch_due(**arguments, lender_id=self.lender.lender_id, until=until)

    def dispatch_day(self, **changes: Any) -> DispatchResult:
        """The whole day, in simulated time."""
        arguments = self._arguments() | changes
        return dispatch_day(**arguments, lender_id=self.lender.lender_id, as_of_date=DAY)

    def _arguments(self) -> dict[str, Any]:
        return {
            "store": self.store,
            "lake": self.lake,
            "vault": self.vault,
            "channels": self.channels,
            "lenders": self.lenders,
            "rulebook": self.rulebook,
            "clock": self.clock,
            "run": self.run,
        }

    def outbox(self) -> list[dict[str, Any]]:
        """Every message that left, by action id."""
        found = [json.loads(p.read_text()) for p in (self.root / "outbox").glob("*/*/*/*.json")]
        return sorted(found, key=lambda message: str(message["action_id"]))

    def states(self) -> dict[str, str]:
        with self.store.read() as connection:
            rows = connection.execute(select(actions.c.action_id, actions.c.state_name))
            return {row.action_id: row.state_name for row in rows}

    def verdicts(self) -> list[dict[str, Any]]:
        return self._rows(dispatch_verdicts)

    def deliveries(self) -> list[dict[str, Any]]:
        return self._rows(deliveries)

    def _rows(self, table: Any) -> list[dict[str, Any]]:
        with self.store.read() as connection:
            query = select(table).order_by(table.c.seq)
            return [dict(row) for row in connection.execute(query).mappings()]

    def set_action(self, action_id: str, **values: Any) -> None:
        with self.store.write() as connection:
            connection.execute(
                update(actions).where(actions.c.action_id == action_id).values(**values)
            )

    def close(self) -> None:
        self.store.close()
        self.vault.close()


def _provenance(number: int, known_at: datetime) -> dict[str, object]:
    return {
        "_file_id": f"file-{known_at:%Y%m%d%H%M}",
        "_row_number": number,
        "_known_at": known_at,
        "_ingested_at": known_at,
        "_lender_id": "meridian",
    }


def _somebody_else() -> dict[TableContract, dict[str, object]]:
    listed = {"listed_date": date(2026, 1, 1), "delisted_date": None}
    origin = _provenance(0, LONG_AGO)
    return {
        DND: {"phone_token": "nobody", "registry": "NCPR", "categories": "0", **listed, **origin},
        BLACKLIST: {"customer_id": "nobody", "reason": "test", **listed, **origin},
        FRAUD: {
            "report_id": "f1",
            "customer_id": "nobody",
            "account_id": None,
            "reported_date": date(2026, 1, 1),
            "kind": "identity",
            "status": "confirmed",
            **origin,
        },
    }


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def suppress(world: World, customer: str, *, channel: str = "*") -> None:
    """The customer opted out of a channel (of all) now."""
    with world.store.write() as connection:
        connection.execute(
            insert(suppressions).values(
                suppression_id=f"s-{customer}",
                lender_id="meridian",
                customer_id=customer,
                channel=channel,
                purpose="*",
                reason="opted_out",
                source_event_id=f"e-{customer}",
                effective_at_utc=naive_utc(world.clock.now()),
            )
        )
