"""What is on record of a lender's consents when its payloads are judged."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import pyarrow as pa
from pyiceberg.expressions import EqualTo

from paymentor_assets.ingestion.consents.artefacts import reject_unlawful_consents
from paymentor_assets.ingestion.consents.fetches import (
    EARLIER_FETCHES,
    KNOWN_CONSENTS,
    reject_unconsented,
)
from paymentor_assets.ingestion.contracts.model import FeedContract
from paymentor_assets.ingestion.contracts.tables import raw_tables
from resources.lakehouse import Lakehouse

_ARTEFACTS, _ACCOUNTS = "raw.aa_consents", "raw.aa_accounts"


@dataclass(frozen=True)
class ConsentFacts:
    """Artefacts (columns KNOWN_CONSENTS) and fetches (EARLIER_FETCHES) of one lender."""

    artefacts: pa.Table
    fetches: pa.Table

    @classmethod
    def of(cls, lake: Lakehouse, lender_id: str) -> ConsentFacts:
        """Everything on record; nothing where a table was never made."""
        return cls(
            _rows(lake, lender_id, _ARTEFACTS, KNOWN_CONSENTS),
            _rows(lake, lender_id, _ACCOUNTS, EARLIER_FETCHES),
        )

    @classmethod
    def none(cls) -> ConsentFacts:
        """Nothing on record."""
        schemas = (_schema(_ARTEFACTS, KNOWN_CONSENTS), _schema(_ACCOUNTS, EARLIER_FETCHES))
        return cls(*(schema.empty_table() for schema in schemas))

    def register(self, con: duckdb.DuckDBPyConnection) -> None:
        """Show them to the checks of this connection."""
        con.register("known_consents", self.artefacts)
        con.register("earlier_fetches", self.fetches)


def needs_facts(contract: FeedContract) -> bool:
    """Whether the rows of the feed rest on consents."""
    return contract.format == "aa_deposits"


def judge(con: duckdb.DuckDBPyConnection, contract: FeedContract, *, zone: str) -> None:
    """Faults of consent artefacts, and of payloads against theirs; nothing for other feeds.

    Needs every `typed_<i>` of the feed, and for payloads registered facts.
    """
    if contract.records[0].table == _ARTEFACTS:
        reject_unlawful_consents(con)
    elif needs_facts(contract):
        reject_unconsented(con, zone=zone)


def _rows(lake: Lakehouse, lender_id: str, table: str, columns: tuple[str, ...]) -> pa.Table:
    if not lake.exists(table):
        return _schema(table, columns).empty_table()
    return lake.scan(table, row_filter=EqualTo("_lender_id", lender_id), columns=columns)


def _schema(table: str, columns: tuple[str, ...]) -> pa.Schema:
    return pa.schema([raw_tables()[table].schema.field(name) for name in columns])
