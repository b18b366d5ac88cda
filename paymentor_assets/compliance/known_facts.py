"""The lakehouse's half of the facts: pinned to the newest publications, cut at `_known_at`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import cached_property

import pyarrow as pa
from pyiceberg.expressions import (
    And,
    BooleanExpression,
    EqualTo,
    GreaterThanOrEqual,
    LessThanOrEqual,
)

from paymentor_assets.audit.publications import Publication, newest
from paymentor_assets.compliance.fact_tables import (
    CONTACT_MEMORY,
    CONTACTS,
    CUSTOMERS,
    DND,
    PERMISSIONS,
    GateFacts,
)
from paymentor_assets.lenders import Lender
from resources.clock import naive_utc
from resources.duck import connect
from resources.lakehouse import Lakehouse


def lake_facts(lake: Lakehouse, lender: Lender, instant: datetime) -> GateFacts:
    """Facts of the lakehouse as known at `instant` (aware): rows with `_known_at` not after it.

    A feed of which the lender has delivered nothing by then, not even an empty file, is not
    available (None). Only the legacy contact log may be outside the lender's contract: then our own
    deliveries are all contacts there are.
    """
    at = naive_utc(instant)
    publication = newest(lake, "ingestion", lender.lender_id)
    facts = GateFacts(as_of_utc=at, lender_role=lender.role)
    if publication is None:
        return facts
    reader = _Reader(lake, publication, lender.lender_id, at)
    contacts = reader.contacts(is_in_contract="contact_history" in lender.feeds)
    sources = {"ingestion": publication.publication_id}
    conversations = _own_conversations(lake, lender.lender_id, at, sources)
    if contacts is not None and conversations is not None:
        contacts = pa.concat_tables([contacts, conversations])
    return replace(
        facts,
        permissions=reader.permissions(),
        dnd=reader.dnd(),
        blacklist=reader.blacklist(),
        fraud=reader.fraud(),
        contacts=contacts,
        sources=sources,
    )


def _own_conversations(
    lake: Lakehouse, lender_id: str, at: datetime, sources: dict[str, str]
) -> pa.Table | None:
    """Answered calls of ours, from the engagement stage; the calls themselves are deliveries."""
    publication = newest(lake, "engagement", lender_id)
    if publication is None or "engagement.events" not in publication.tables:
        return None
    sources["engagement"] = publication.publication_id
    row_filter = And(
        EqualTo("lender_id", lender_id),
        EqualTo("event_type", "answered"),
        LessThanOrEqual("_known_at", at.isoformat()),
        GreaterThanOrEqual("occurred_at_utc", (at - CONTACT_MEMORY).isoformat()),
    )
    snapshot = publication.table("engagement.events").snapshot_id
    rows = lake.scan("engagement.events", snapshot, row_filter)
    with connect() as con:
        con.register("events", rows)
        return (
            con.execute(
                "SELECT customer_id, account_id, coalesce(channel, 'voice') AS channel, "
                "'collections' AS purpose, occurred_at_utc AS contacted_at_utc, "
                "false AS is_outbound, true AS is_connected, true AS is_conversation, "
                "CAST(NULL AS VARCHAR) AS candidate_id "
                "FROM events WHERE customer_id IS NOT NULL ORDER BY event_id"
            )
            .to_arrow_table()
            .cast(CONTACTS)
        )


class _Reader:
    """Pinned raw tables of one lender, cut at one instant."""

    def __init__(
        self, lake: Lakehouse, publication: Publication, lender_id: str, at: datetime
    ) -> None:
        self._lake = lake
        self._publication = publication
        self._lender_id = lender_id
        self._at = at

    def permissions(self) -> pa.Table | None:
        """Every statement known by then, including ones that take effect later."""
        return self._query(
            "contact_permissions",
            ["customer_id", "channel", "purpose", "status", "effective_at_utc", "permission_id"],
            "SELECT DISTINCT customer_id, channel, purpose, status, effective_at_utc FROM ("
            + _latest("permission_id")
            + ") ORDER BY ALL",
            PERMISSIONS,
        )

    def dnd(self) -> pa.Table | None:
        """Registry entries that stand at the instant."""
        return self._query(
            "dnd_registry",
            ["phone_token", "registry", "categories", "listed_date", "delisted_date"],
            "SELECT DISTINCT phone_token, registry, categories FROM ("
            + _latest("phone_token, registry, listed_date")
            + f") WHERE {self._stands()} ORDER BY ALL",
            DND,
        )

    def blacklist(self) -> pa.Table | None:
        """People on the lender's list at the instant."""
        return self._query(
            "blacklist",
            ["customer_id", "listed_date", "delisted_date"],
            "SELECT DISTINCT customer_id FROM ("
            + _latest("customer_id, listed_date")
            + f") WHERE {self._stands()} ORDER BY ALL",
            CUSTOMERS,
        )

    def fraud(self) -> pa.Table | None:
        """People with an open or confirmed report."""
        return self._query(
            "fraud_reports",
            ["report_id", "customer_id", "status"],
            "SELECT DISTINCT customer_id FROM ("
            + _latest("report_id")
            + ") WHERE status IN ('open', 'confirmed') ORDER BY ALL",
            CUSTOMERS,
        )

    def contacts(self, *, is_in_contract: bool) -> pa.Table | None:
        """The legacy contact log of the last weeks; all of it is about collections."""
        rows = self._query(
            "contact_history",
            [
                *("contact_id", "customer_id", "account_id", "channel", "direction", "outcome"),
                "contacted_at_utc",
            ],
            # Reading: a failed call never connected (1006.14(b)(3)(ii)); only a call is a
            # conversation, whoever began it.
            "SELECT customer_id, account_id, channel, 'collections' AS purpose, contacted_at_utc, "
            "direction = 'outbound' AS is_outbound, outcome <> 'failed' AS is_connected, "
            "channel = 'voice' AND outcome IN ('right_party_contact', 'promise_to_pay', 'replied') "
            "AS is_conversation, CAST(NULL AS VARCHAR) AS candidate_id FROM ("
            + _latest("contact_id")
            + ") ORDER BY contact_id",
            CONTACTS,
            GreaterThanOrEqual("contacted_at_utc", (self._at - CONTACT_MEMORY).isoformat()),
        )
        if rows is None and not is_in_contract:
            return CONTACTS.empty_table()
        return rows

    def _stands(self) -> str:
        day = f"DATE '{self._at.date().isoformat()}'"
        return f"listed_date <= {day} AND (delisted_date IS NULL OR delisted_date > {day})"

    def _query(
        self,
        feed: str,
        columns: list[str],
        sql: str,
        schema: pa.Schema,
        narrower: BooleanExpression | None = None,
    ) -> pa.Table | None:
        name = f"raw.{feed}"
        rows = None
        if name in self._publication.tables:
            columns = [*columns, "_known_at", "_file_id", "_row_number"]
            rows = self._scan(name, self._known if narrower is None else And(self._known, narrower))
            rows = rows.select(columns)
        if rows is None or rows.num_rows == 0:
            return schema.empty_table() if self._is_delivered(feed) else None
        with connect() as con:
            con.register("known", rows)
            return con.execute(sql).to_arrow_table().cast(schema)

    def _is_delivered(self, feed: str) -> bool:
        """Whether an accepted file of the feed, be it without rows, was known by then."""
        if any(row["feed"] == feed for row in self._files):
            return True
        name = f"raw.{feed}"
        return name in self._publication.tables and bool(self._scan(name, self._known).num_rows)

    @cached_property
    def _files(self) -> list[dict[str, str]]:
        name = "raw.ingested_files"
        if name not in self._publication.tables:
            return []
        taken_in = And(
            EqualTo("lender_id", self._lender_id),
            EqualTo("status", "ingested"),
            LessThanOrEqual("known_at", self._at.isoformat()),
        )
        files = self._scan(name, taken_in).select(["feed"])
        return [dict(row) for row in files.to_pylist()]

    @property
    def _known(self) -> BooleanExpression:
        return And(
            EqualTo("_lender_id", self._lender_id),
            LessThanOrEqual("_known_at", self._at.isoformat()),
        )

    def _scan(self, name: str, row_filter: BooleanExpression) -> pa.Table:
        return self._lake.scan(name, self._publication.table(name).snapshot_id, row_filter)


def _latest(key: str) -> str:
    """The newest known version of each row of a change feed; later rows of a file win."""
    return (
        f"SELECT * FROM known QUALIFY row_number() OVER (PARTITION BY {key} "
        "ORDER BY _known_at DESC, _file_id DESC, _row_number DESC) = 1"
    )
