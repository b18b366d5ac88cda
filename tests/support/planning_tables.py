"""The day of the planning tests, and the tables that a planner and its gate read, by contract.

Only the columns that planning reads. What does not belong here: rows (`planning_people`), and
where they are published (`planning_world`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

import pyarrow as pa

from resources.lakehouse import MONEY, TIMESTAMP, TableContract, column

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
