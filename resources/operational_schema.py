"""Tables of the operational store: the hot truth that must change in transactions.

Everything here is appended or advanced by the platform itself; micro-batches copy the verdicts,
deliveries and ledger to the lakehouse by sequence number. No personal data: tokens only.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

# SQLite numbers rows by itself only for INTEGER primary keys; PostgreSQL gets a BIGINT.
_Sequence = BigInteger().with_variant(Integer, "sqlite")

file_index = Table(
    "file_index",
    metadata,
    Column("uri", String, primary_key=True),
    Column("etag", String, primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("lender_id", String, nullable=False),
    Column("feed", String, nullable=False),
    Column("business_date", Date),
    Column("file_id", String),
    Column("status", String, nullable=False),  # pending, ingested, duplicate, rejected, failed
    Column("attempts", Integer, nullable=False, default=0),
    # Runs that died while they had the file in their hands; null is none.
    Column("interruptions", Integer),
    Column("reason", Text),
    Column("first_seen_utc", DateTime, nullable=False),
    Column("last_tried_utc", DateTime),
)

actions = Table(
    "actions",
    metadata,
    Column("action_id", String, primary_key=True),
    Column("lender_id", String, nullable=False),
    Column("as_of_date", Date, nullable=False),
    Column("account_id", String),
    Column("customer_id", String, nullable=False),
    Column("candidate_id", String, nullable=False),
    Column("kind", String, nullable=False),  # contact, offer
    Column("purpose", String, nullable=False),  # collections, marketing
    Column("channel", String, nullable=False),
    Column("scheduled_at_utc", DateTime, nullable=False),
    Column("time_zone", String, nullable=False),
    Column("country", String, nullable=False),
    Column("state", String),
    Column("product", String),
    Column("currency", String, nullable=False),
    Column("template_id", String, nullable=False),
    Column("language", String, nullable=False),
    Column("address_token", String, nullable=False),
    Column("treatment", String, nullable=False),
    Column("cost", Numeric(18, 4), nullable=False),
    Column("payload", Text, nullable=False),  # template variables as JSON, without personal data
    # planned, sending, sent, blocked, deferred, failed, cancelled
    Column("state_name", String, nullable=False),
    Column("attempt", Integer, nullable=False, default=0),
    Column("lease_until_utc", DateTime),
    Column("plan_publication_id", String, nullable=False),
    Column("rulebook_version", String, nullable=False),
    Column("strategy_version", String, nullable=False),
    Column("updated_at_utc", DateTime, nullable=False),
    Index("actions_due", "lender_id", "state_name", "scheduled_at_utc"),
)

sealed_days = Table(
    "sealed_days",
    metadata,
    Column("lender_id", String, primary_key=True),
    Column("as_of_date", Date, primary_key=True),
    Column("sealed_at_utc", DateTime, nullable=False),
    Column("plan_publication_id", String, nullable=False),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("suppression_id", String, primary_key=True),
    Column("lender_id", String, nullable=False),
    Column("customer_id", String, nullable=False),
    Column("channel", String, nullable=False),  # "*" means every channel
    Column("purpose", String, nullable=False),  # "*" means every purpose
    Column("reason", String, nullable=False),
    Column("source_event_id", String, nullable=False, unique=True),
    Column("effective_at_utc", DateTime, nullable=False),
)

dispatch_verdicts = Table(
    "dispatch_verdicts",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=True),
    Column("action_id", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("lender_id", String, nullable=False),
    Column("as_of_date", Date, nullable=False),
    Column("verdict", String, nullable=False),  # allow, block, defer
    Column("violated_rules", Text, nullable=False),
    Column("defer_until_utc", DateTime),
    Column("rulebook_version", String, nullable=False),
    Column("facts", Text, nullable=False),
    Column("decided_at_utc", DateTime, nullable=False),
    sqlite_autoincrement=True,
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=True),
    Column("action_id", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("lender_id", String, nullable=False),
    Column("as_of_date", Date, nullable=False),
    Column("account_id", String),
    Column("customer_id", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("purpose", String, nullable=False),
    Column("provider_message_id", String),
    Column("status", String, nullable=False),  # sent, failed
    Column("occurred_at_utc", DateTime, nullable=False),
    Column("cost", Numeric(18, 4), nullable=False),
    Column("currency", String, nullable=False),
    UniqueConstraint("action_id", "attempt", "status"),
    Index("deliveries_by_message", "provider_message_id"),
    sqlite_autoincrement=True,
)

controls = Table(
    "controls",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=True),
    Column("name", String, nullable=False),  # kill_switch
    Column("value", String, nullable=False),  # on, off
    Column("actor", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at_utc", DateTime, nullable=False),
    sqlite_autoincrement=True,
)

ledger = Table(
    "ledger",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=True),
    Column("at_utc", DateTime, nullable=False),
    Column("actor", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("payload_hash", String, nullable=False),
    Column("prev_hash", String, nullable=False, unique=True),
    Column("hash", String, nullable=False),
    sqlite_autoincrement=True,
)

#: Up to where a connector has read its source.
connector_cursors = Table(
    "connector_cursors",
    metadata,
    Column("lender_id", String, primary_key=True),
    Column("connector", String, primary_key=True),
    Column("cursor", String, nullable=False),
    Column("updated_at_utc", DateTime, nullable=False),
)

#: Every request to and from a source, by the hashes of its bytes. Each row is the payload of the
#: ledger entry of that number, so that nobody can change it unseen.
connector_exchanges = Table(
    "connector_exchanges",
    metadata,
    Column("ledger_seq", BigInteger, primary_key=True, autoincrement=False),
    Column("lender_id", String, nullable=False),
    Column("connector", String, nullable=False),
    Column("method", String, nullable=False),
    Column("url", Text, nullable=False),
    Column("request_sha256", String, nullable=False),
    Column("response_sha256", String),  # null: no answer came
    Column("status", Integer),
    Column("byte_size", BigInteger, nullable=False),
    Column("at_utc", DateTime, nullable=False),
)

#: What sources told, once each by the source's own id. `rows` is set while an item waits for its
#: file; only feeds without personal data wait here.
connector_items = Table(
    "connector_items",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=True),
    Column("lender_id", String, nullable=False),
    Column("connector", String, nullable=False),
    Column("item_id", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("state", String),
    Column("occurred_at_utc", DateTime, nullable=False),
    Column("exchange_seq", BigInteger, nullable=False),
    Column("rows", Text),
    Column("delivery_id", String),
    UniqueConstraint("lender_id", "connector", "item_id"),
    Index("connector_items_by_subject", "lender_id", "connector", "subject"),
    sqlite_autoincrement=True,
)

#: Files that connectors put into the landing zone; a staged file is true once it stands here.
connector_deliveries = Table(
    "connector_deliveries",
    metadata,
    Column("uri", String, primary_key=True),
    Column("delivery_id", String, nullable=False),
    Column("lender_id", String, nullable=False),
    Column("connector", String, nullable=False),
    Column("feed", String, nullable=False),
    Column("file_id", String, nullable=False),
    Column("row_count", BigInteger, nullable=False),
    Column("delivered_at_utc", DateTime, nullable=False),
)
