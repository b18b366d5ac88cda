"""What Account Aggregator data is past its life, and the proof of what a purge deletes.

Rules, in this order:

- A fetch lives for the DataLife of its consent (unit and value after the fetch; INF: for ever), by
  the newest artefact. EXPIRED ends fetching and not keeping: the life runs on.
- REVOKED takes the right to keep away: everything under the consent is due at once.
- Originals of refused payloads have no consent to live under: `refused_data_life` of the fair-use
  rules after they became known, so that the lender can correct and deliver again.

Nothing is deleted here: see `purge`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
from pyiceberg.expressions import And, BooleanExpression, EqualTo, In, LessThanOrEqual

from paymentor_assets.ids import deterministic_id
from paymentor_assets.ingestion.consents.rules import load_fair_use
from paymentor_assets.ingestion.contracts.tables import REJECTED_ROWS, raw_tables
from resources.duck import connect
from resources.lakehouse import TIMESTAMP, Lakehouse, TableContract, column

_FEED = "aa_deposits"
_CONSENTS, _ACCOUNTS, _TRANSACTIONS = "raw.aa_consents", "raw.aa_accounts", "raw.aa_transactions"
AA_PURGES = TableContract(
    name="raw.aa_purges",
    description="Proof of what was deleted when the life of Account Aggregator data ended.",
    key=("purge_id",),
    partition_by=("lender_id",),
    schema=pa.schema(
        [
            column("purge_id", pa.string(), "Hash of the purge, table, consent and account."),
            column("purge_run_id", pa.string(), "One purge of one lender; subject in the ledger."),
            column("lender_id", pa.string(), "Lender whose rows they were."),
            column("table_name", pa.string(), "Table the rows stood in."),
            column("consent_id", pa.string(), "Consent they were held under; null when refused."),
            column("link_ref_number", pa.string(), "Linked account; null when refused."),
            column("rows_deleted", pa.int64(), "Rows deleted."),
            column("digest", pa.string(), "SHA-256 over the deleted rows, sorted."),
            column("reason", pa.string(), "DATA_LIFE, REVOKED or REFUSED."),
            column("data_life", pa.string(), "The life that ended, e.g. 1 MONTH."),
            column("purged_at_utc", TIMESTAMP, "Instant the purge was decided for, UTC."),
            column("_ingested_at", TIMESTAMP, "Our clock at the first writing, UTC."),
        ]
    ),
)


@dataclass(frozen=True, order=True)
class Moment:
    """When a purge is decided, as naive UTC: `at` is the instant of the business that lives are
    measured by; rows taken in after `taken_in_by` (our own clock) are left to the next purge, so
    that a repetition finds the same rows."""

    at: datetime
    taken_in_by: datetime


@dataclass(frozen=True)
class Due:
    """Rows of a table that are due, as a filter of the lakehouse."""

    table: str
    reason: str
    data_life: str
    matches: BooleanExpression


def rows_due(lake: Lakehouse, lender_id: str, moment: Moment) -> Iterator[Due]:
    """What is due of a lender; a filter may match nothing."""
    if not (lake.exists(_CONSENTS) and lake.exists(_ACCOUNTS)):
        return
    mine = And(
        EqualTo("_lender_id", lender_id),
        LessThanOrEqual("_ingested_at", moment.taken_in_by.isoformat()),
    )
    tables = [name for name in (_TRANSACTIONS, _ACCOUNTS) if lake.exists(name)]
    for life, reason, consents, until in _consents_due(lake, mine, moment.at):
        matches = And(
            mine,
            And(In("consent_id", consents), LessThanOrEqual("fetched_at_utc", until.isoformat())),
        )
        yield from (Due(name, reason, life, matches) for name in tables)
    span = load_fair_use().refused_data_life
    with connect() as con:
        (limit,) = con.execute(
            "SELECT ?::TIMESTAMP - CASE ? WHEN 'DAY' THEN to_days(?) ELSE to_months(?) END",
            [moment.at, span.unit, span.value, span.months],
        ).fetchone() or (moment.at,)
    if lake.exists(REJECTED_ROWS.name):
        refused = And(
            And(EqualTo("lender_id", lender_id), EqualTo("feed", _FEED)),
            And(
                LessThanOrEqual("_ingested_at", moment.taken_in_by.isoformat()),
                LessThanOrEqual("_known_at", limit.isoformat()),
            ),
        )
        yield Due(REJECTED_ROWS.name, "REFUSED", f"{span.value} {span.unit}", refused)


def _consents_due(
    lake: Lakehouse, mine: BooleanExpression, instant: datetime
) -> list[tuple[str, str, list[str], datetime]]:
    """Data life, reason, consents, and the last fetch of theirs that is due; a group each.

    A later fetch of a group's consents is not due: adding a life keeps the order of instants.
    """
    consents = lake.scan(
        _CONSENTS,
        row_filter=mine,
        columns=(
            "consent_id",
            "status",
            "created_at_utc",
            "_known_at",
            "data_life_unit",
            "data_life_value",
        ),
    )
    # A crash may leave transactions without their account or the reverse: both are looked at.
    fetches = pa.concat_tables(
        lake.scan(name, row_filter=mine, columns=("consent_id", "fetched_at_utc"))
        .group_by(["consent_id", "fetched_at_utc"])
        .aggregate([])
        for name in (_ACCOUNTS, _TRANSACTIONS)
        if lake.exists(name)
    )
    with connect() as con:
        con.register("consents", consents)
        con.register("fetches", fetches)
        found = con.execute(
            """
            WITH newest AS (
                SELECT consent_id, bool_or(status = 'REVOKED') AS is_revoked,
                       arg_max(data_life_unit, (created_at_utc, _known_at)) AS unit,
                       arg_max(data_life_value, (created_at_utc, _known_at)) AS value
                FROM consents GROUP BY consent_id
            )
            SELECT CASE WHEN unit = 'INF' THEN unit ELSE value || ' ' || unit END AS life,
                   CASE WHEN is_revoked THEN 'REVOKED' ELSE 'DATA_LIFE' END AS reason,
                   list(DISTINCT consent_id ORDER BY consent_id), max(fetched_at_utc)
            FROM fetches JOIN newest USING (consent_id)
            WHERE is_revoked OR CASE unit
                WHEN 'DAY' THEN fetched_at_utc + to_days(value) <= $instant
                WHEN 'MONTH' THEN fetched_at_utc + to_months(value) <= $instant
                WHEN 'YEAR' THEN fetched_at_utc + to_years(value) <= $instant
                ELSE false END
            GROUP BY life, reason ORDER BY life, reason
            """,
            {"instant": instant},
        ).fetchall()
    return [(life, reason, list(ids), until) for life, reason, ids, until in found]


def proofs(lake: Lakehouse, lender_id: str, purge_run_id: str, moment: Moment) -> pa.Table:
    """One row of AA_PURGES a table, consent and linked account that has rows due."""
    parts = []
    for due in rows_due(lake, lender_id, moment):
        rows = lake.scan(due.table, row_filter=due.matches)
        if rows.num_rows:
            parts.append(_proof(rows, due))
    if not parts:
        return AA_PURGES.schema.empty_table()
    found = pa.concat_tables(parts).to_pylist()
    return pa.Table.from_pylist(
        [
            row
            | {
                "purge_id": deterministic_id(
                    purge_run_id,
                    row["table_name"],
                    row["consent_id"] or "",
                    row["link_ref_number"] or "",
                ),
                "purge_run_id": purge_run_id,
                "lender_id": lender_id,
                "purged_at_utc": moment.at,
                "_ingested_at": moment.taken_in_by,
            }
            for row in found
        ],
        schema=AA_PURGES.schema,
    )


def _proof(rows: pa.Table, due: Due) -> pa.Table:
    contract = raw_tables()[due.table]
    consent, link = (
        (name if name in contract.column_names else "CAST(NULL AS VARCHAR)")
        for name in ("consent_id", "link_ref_number")
    )
    with connect() as con:
        con.register("due_rows", rows)
        return con.execute(
            f"""
            SELECT $table_name AS table_name, {consent} AS consent_id, {link} AS link_ref_number,
                   count(*) AS rows_deleted,
                   sha256(string_agg({_row_hash_sql(contract.column_names)}, ''
                          ORDER BY {_row_hash_sql(contract.column_names)})) AS digest,
                   $reason AS reason, $data_life AS data_life
            FROM due_rows GROUP BY 2, 3 ORDER BY 2, 3
            """,
            {"table_name": due.table, "reason": due.reason, "data_life": due.data_life},
        ).to_arrow_table()


def _row_hash_sql(columns: Iterable[str]) -> str:
    """DuckDB expression: SHA-256 over the columns, each written as length:text, NULL as `-`.

    The length prefix keeps ('ab', 'c') apart from ('a', 'bc'); text is DuckDB's own shortest exact
    form of the value.
    """
    parts = (
        f"""coalesce(length(CAST("{c}" AS VARCHAR)) || ':' || CAST("{c}" AS VARCHAR), '-')"""
        for c in columns
    )
    return f"sha256(concat({', '.join(parts)}))"
