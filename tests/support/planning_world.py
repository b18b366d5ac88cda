"""An invented lender with features, rankings and facts published for one day, for planning tests.

Day D is 2026-06-01 in India; it closes at 06:00 IST on 2026-06-02, when it is planned. Customers
alternate between India and the United States; two of three are delinquent, the rest were never
late. Everybody permits everything unless a test says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from paymentor_assets.audit.publications import RunInfo, publish_days, publish_heads
from paymentor_assets.compliance import facts as fact_tables
from paymentor_assets.compliance.facts import GateFacts
from paymentor_assets.lenders import Lender
from paymentor_assets.strategies.decide import DayInputs
from paymentor_assets.strategies.plan import PlanResult, plan_day
from resources.clock import FixedClock
from resources.lakehouse import MONEY, TIMESTAMP, Lakehouse, TableContract, column
from resources.operational_store import OperationalStore

DAY = date(2026, 6, 1)
LENDER = "meridian"
CHANNELS = ("email", "sms", "voice", "whatsapp")
#: 06:00 in India on D+1.
CUTOFF = datetime(2026, 6, 2, 0, 30, tzinfo=UTC)
LONG_AGO = datetime(2026, 3, 1, tzinfo=UTC).replace(tzinfo=None)

_TEXT = pa.string()
_INT = pa.int64()
_FLOAT = pa.float64()
_DAY_KEY = [("lender_id", _TEXT), ("as_of_date", pa.date32())]


def _contract(
    name: str, key: Sequence[str], columns: Sequence[tuple[str, pa.DataType]]
) -> TableContract:
    fields = [column(n, t, n) for n, t in columns]
    return TableContract(name, pa.schema(fields), tuple(key), f"Test {name}.")


PROFILE = _contract(
    "features.customer_profile",
    ("lender_id", "customer_id", "as_of_date"),
    [
        *_DAY_KEY,
        *((n, _TEXT) for n in ("customer_id", "country", "state", "city", "postal_code")),
        *((n, _TEXT) for n in ("time_zone", "language", "phone_token", "email_token", "currency")),
        ("declared_monthly_income", MONEY),
        ("bureau_score", pa.int32()),
        ("bureau_overdue", MONEY),
        ("total_emi_monthly", MONEY),
        ("enquiries_90d", _INT),
        ("worst_status_12m", _TEXT),
        ("income_monthly", MONEY),
        ("fixed_obligations_monthly", MONEY),
        ("aa_purposes", _TEXT),
        ("applied_product", _TEXT),
        ("applied_at_utc", TIMESTAMP),
    ],
)
ACCOUNTS = _contract(
    "features.account_features",
    ("lender_id", "account_id", "as_of_date"),
    [
        *_DAY_KEY,
        *((n, _TEXT) for n in ("account_id", "customer_id", "product", "currency", "bucket")),
        *((n, _TEXT) for n in ("sma_class", "account_status")),
        *((n, MONEY) for n in ("overdue_amount", "emi_amount")),
        *((n, _INT) for n in ("days_past_due", "max_dpd_180d", "months_on_book")),
        ("promises_broken_180d", _INT),
        ("is_delinquent", pa.bool_()),
    ],
)
RANKINGS = _contract(
    "decisions.customer_rankings",
    ("lender_id", "account_id", "as_of_date"),
    [
        *_DAY_KEY,
        ("account_id", _TEXT),
        ("expected_recovery", MONEY),
        ("is_delinquent", pa.bool_()),
        ("rank", _INT),
        ("model_name", _TEXT),
        ("model_version", _TEXT),
    ],
)
PREFERENCES = _contract(
    "decisions.channel_preferences",
    ("lender_id", "customer_id", "channel", "as_of_date"),
    [
        *_DAY_KEY,
        ("customer_id", _TEXT),
        ("channel", _TEXT),
        *((n, _FLOAT) for n in ("p_engage", "p_morning", "p_midday", "p_afternoon", "p_evening")),
    ],
)
_PROVENANCE = [
    ("_file_id", _TEXT),
    ("_row_number", _INT),
    ("_known_at", TIMESTAMP),
    ("_ingested_at", TIMESTAMP),
    ("_lender_id", _TEXT),
]
_DATE = pa.date32()
RAW = {
    name: _contract(f"raw.{name}", (columns[0][0], "_file_id"), [*columns, *_PROVENANCE])
    for name, columns in {
        "contact_permissions": [
            *((n, _TEXT) for n in ("permission_id", "customer_id", "channel", "purpose", "status")),
            ("effective_at_utc", TIMESTAMP),
        ],
        "dnd_registry": [
            *((n, _TEXT) for n in ("phone_token", "registry", "categories")),
            ("listed_date", _DATE),
            ("delisted_date", _DATE),
        ],
        "blacklist": [
            *((n, _TEXT) for n in ("customer_id", "reason")),
            ("listed_date", _DATE),
            ("delisted_date", _DATE),
        ],
        "fraud_reports": [*((n, _TEXT) for n in ("report_id", "customer_id", "status"))],
        "contact_history": [
            *((n, _TEXT) for n in ("contact_id", "account_id", "customer_id", "channel")),
            *((n, _TEXT) for n in ("direction", "outcome")),
            ("contacted_at_utc", TIMESTAMP),
        ],
        "campaign_responses": [
            *((n, _TEXT) for n in ("response_id", "product", "response")),
            ("is_control", pa.bool_()),
        ],
    }.items()
}
FILES = _contract(
    "raw.ingested_files",
    ("file_id",),
    [
        *((n, _TEXT) for n in ("file_id", "lender_id", "feed", "status")),
        ("known_at", TIMESTAMP),
    ],
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
class People:
    """Rows of the feature and ranking tables; tests change them before they are published."""

    profile: list[dict[str, Any]] = field(default_factory=list)
    accounts: list[dict[str, Any]] = field(default_factory=list)
    rankings: list[dict[str, Any]] = field(default_factory=list)
    preferences: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def invent(cls, count: int, day: date = DAY) -> People:
        """`count` customers with one account each."""
        people = cls()
        for number in range(count):
            people.add(number, day)
        return people

    def add(self, number: int, day: date = DAY, **account: object) -> None:
        """One more customer with one account; `account` overrides account columns."""
        is_us = number % 2 == 1
        late = 0 if number % 3 == 2 else 1 + (number * 7) % 120
        base = {"lender_id": LENDER, "as_of_date": day}
        who = {"customer_id": f"C{number:05d}"}
        scale = 40 if is_us else 1
        self.profile.append(
            base
            | who
            | {
                "country": "US" if is_us else "IN",
                "state": "TX" if is_us else "MH",
                "city": "Houston" if is_us else "Mumbai",
                "postal_code": "77001" if is_us else "400001",
                "time_zone": "America/Chicago" if is_us else "Asia/Kolkata",
                "language": "en",
                "phone_token": f"phone-{number}",
                "email_token": f"email-{number}",
                "currency": "USD" if is_us else "INR",
                "declared_monthly_income": Decimal(80000 + 100 * number) / scale,
                "bureau_score": 700 + number % 150,
                "bureau_overdue": Decimal(0),
                "total_emi_monthly": Decimal(9000) / scale,
                "enquiries_90d": 1,
                "worst_status_12m": "0",
                "income_monthly": Decimal(10**7),
            }
        )
        state = {
            "account_id": f"A{number:05d}",
            "product": "credit_card",
            "currency": "USD" if is_us else "INR",
            "bucket": bucket_of(late),
            "sma_class": "STANDARD" if late == 0 else "SMA-0",
            "account_status": "open",
            "overdue_amount": Decimal(late * 100) / scale,
            "emi_amount": Decimal(9000) / scale,
            "days_past_due": late,
            "max_dpd_180d": late,
            "months_on_book": 20,
            "promises_broken_180d": number % 4,
            "is_delinquent": late > 0,
        } | account
        self.accounts.append(base | who | state)
        self.rankings.append(
            base
            | {
                "account_id": state["account_id"],
                "expected_recovery": (Decimal(200 + (number * 37) % 3000) / scale).quantize(
                    Decimal("0.01")
                ),
                "is_delinquent": state["is_delinquent"],
                "rank": number + 1,
                "model_name": "customer_ranking",
                "model_version": "7",
            }
        )
        for index, channel in enumerate(CHANNELS):
            engage = round(0.1 + 0.05 * ((number + index) % 5), 6)
            self.preferences.append(
                base
                | who
                | {
                    "channel": channel,
                    "p_engage": engage,
                    "p_morning": round(engage * 1.1, 6),
                    "p_midday": None,
                    "p_afternoon": round(engage * 0.9, 6),
                    "p_evening": round(engage * 1.2, 6),
                }
            )

    def tables(self) -> dict[TableContract, pa.Table]:
        """Arrow tables by contract."""
        return {
            PROFILE: pa.Table.from_pylist(self.profile, PROFILE.schema),
            ACCOUNTS: pa.Table.from_pylist(self.accounts, ACCOUNTS.schema),
            RANKINGS: pa.Table.from_pylist(self.rankings, RANKINGS.schema),
            PREFERENCES: pa.Table.from_pylist(self.preferences, PREFERENCES.schema),
        }

    def inputs(self, campaigns: pa.Table | None = None) -> DayInputs:
        """The same without a lakehouse."""
        tables = self.tables()
        return DayInputs(
            tables[PROFILE],
            tables[ACCOUNTS],
            tables[RANKINGS],
            tables[PREFERENCES],
            campaign_rows([]) if campaigns is None else campaigns,
            ["features-1", "rankings-1"],
        )


def bucket_of(days_past_due: int) -> str:
    for least, name in ((91, "90+"), (61, "61-90"), (31, "31-60"), (1, "1-30")):
        if days_past_due >= least:
            return name
    return "current"


def campaign_rows(rows: Sequence[dict[str, Any]]) -> pa.Table:
    wanted = ["response_id", "product", "response", "is_control"]
    schema = RAW["campaign_responses"].schema
    return pa.Table.from_pylist(list(rows), pa.schema([schema.field(n) for n in wanted]))


def permission_rows(customers: Sequence[str]) -> list[dict[str, Any]]:
    """Everybody permits every channel for both purposes."""
    return [
        {
            "permission_id": f"{customer}-{channel}-{purpose}",
            "customer_id": customer,
            "channel": channel,
            "purpose": purpose,
            "status": "granted",
            "effective_at_utc": LONG_AGO,
        }
        for customer in customers
        for channel in CHANNELS
        for purpose in ("collections", "marketing")
    ]


def free_facts(customers: Sequence[str], **changes: Any) -> GateFacts:
    """Facts under which nothing but the clock forbids a contact."""
    rows = [
        {k: v for k, v in row.items() if k != "permission_id"} for row in permission_rows(customers)
    ]
    facts: dict[str, Any] = {
        "as_of_utc": CUTOFF.replace(tzinfo=None),
        "lender_role": "first_party",
        "permissions": pa.Table.from_pylist(rows, fact_tables.PERMISSIONS),
        "dnd": fact_tables.DND.empty_table(),
        "blacklist": fact_tables.CUSTOMERS.empty_table(),
        "fraud": fact_tables.CUSTOMERS.empty_table(),
        "suppressions": fact_tables.SUPPRESSIONS.empty_table(),
        "contacts": fact_tables.CONTACTS.empty_table(),
        "kill_switch": False,
    }
    return GateFacts(**(facts | changes))


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
