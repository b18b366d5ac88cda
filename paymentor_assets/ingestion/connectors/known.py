"""What is known already, and so whom a connector has to ask about.

Read from the newest ingestion publication, and from what connectors delivered since, which may
still wait in the landing zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pyarrow as pa
from pyiceberg.expressions import EqualTo
from sqlalchemy import select

from paymentor_assets.audit.publications import newest
from paymentor_assets.ingestion.connectors import records
from paymentor_assets.ingestion.connectors.consent_status import KnownConsent
from paymentor_assets.ingestion.connectors.records import Source
from paymentor_assets.ingestion.recovery import STAGE
from paymentor_assets.lenders import Lender
from resources.duck import connect
from resources.lakehouse import Lakehouse
from resources.operational_schema import connector_items
from resources.operational_store import OperationalStore

#: A consent in one of these states will never have another (ReBIT: REVOKED and EXPIRED are final).
_FINAL = frozenset({"REVOKED", "EXPIRED"})


def due_customers(
    lake: Lakehouse,
    store: OperationalStore,
    lender: Lender,
    source: Source,
    *,
    bureau: str,
    refresh_days: int,
    now: datetime,
) -> list[str]:
    """Customers with an open account and no answer of this bureau in the last days.

    An account counts as its newest snapshot says. A customer whom the bureau did not know was
    answered, too.
    """
    accounts = _published(
        lake, lender, "raw.portfolio_accounts",
        ("account_id", "customer_id", "snapshot_date", "account_status", "_known_at"),
    )  # fmt: skip
    reports = _published(
        lake, lender, "raw.bureau_reports", ("customer_id", "bureau", "report_date")
    )
    if accounts is None:
        return []
    oldest = lender.local_day(now) - timedelta(days=refresh_days)
    with connect() as con:
        con.register("accounts", accounts)
        rows = con.execute(
            """
            SELECT DISTINCT customer_id FROM (
                SELECT customer_id, account_status FROM accounts
                QUALIFY row_number() OVER (
                    PARTITION BY account_id ORDER BY snapshot_date DESC, _known_at DESC,
                    account_status
                ) = 1
            ) WHERE account_status = 'open'
            """
        ).fetchall()
        open_customers = {str(row[0]) for row in rows}
        answered: set[str] = set()
        if reports is not None:
            con.register("reports", reports)
            found = con.execute(
                "SELECT DISTINCT customer_id FROM reports WHERE bureau = ? AND report_date > ?",
                [bureau, oldest],
            ).fetchall()
            answered = {str(row[0]) for row in found}
    with store.read() as connection:
        told = records.last_told(connection, source)
    answered |= {customer for customer, at in told.items() if lender.local_day(at) > oldest}
    return sorted(open_customers - answered)


def changeable_consents(
    lake: Lakehouse, store: OperationalStore, lender: Lender, source: Source
) -> list[KnownConsent]:
    """Consents whose state may still change, as last heard of by file or by this connector."""
    artefacts = _published(
        lake, lender, "raw.aa_consents",
        ("consent_id", "customer_id", "status", "created_at_utc", "_known_at"),
    )  # fmt: skip
    if artefacts is None:
        return []
    query = (
        select(
            connector_items.c.subject, connector_items.c.state, connector_items.c.occurred_at_utc
        )
        .where(source.owns(connector_items))
        .order_by(connector_items.c.seq)
    )
    with store.read() as connection:
        told = {row[0]: (row[2], row[1]) for row in connection.execute(query)}
    newest_first = [("created_at_utc", "descending"), ("_known_at", "descending")]
    known: dict[str, KnownConsent] = {}
    ended: set[str] = set()
    for row in artefacts.sort_by(newest_first).to_pylist():
        consent_id, status = row["consent_id"], row["status"]
        heard_at, heard = told.get(consent_id, (None, None))
        if heard is not None and heard_at >= row["created_at_utc"]:
            status = heard
        known.setdefault(consent_id, KnownConsent(consent_id, row["customer_id"], status))
        if row["status"] in _FINAL or heard in _FINAL:
            ended.add(consent_id)
    return [known[c] for c in sorted(known) if c not in ended]


def _published(
    lake: Lakehouse, lender: Lender, table: str, columns: Sequence[str]
) -> pa.Table | None:
    publication = newest(lake, STAGE, lender.lender_id)
    if publication is None or table not in publication.tables:
        return None
    snapshot = publication.table(table).snapshot_id
    return lake.scan(table, snapshot, EqualTo("_lender_id", lender.lender_id), tuple(columns))
