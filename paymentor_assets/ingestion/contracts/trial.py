"""Whether DuckDB can hold rows to a contract: its patterns and conditions, tried on no data.

What a contract says is checked where it is read (`odcs`, `model`); this is about the two things in
it that are written in DuckDB's own language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import duckdb

from paymentor_assets.ingestion.contracts.model import FeedContract, RecordContract, RowRule
from resources.duck import connect, quote

#: The types that checks give the columns.
_TYPES = {
    "text": "VARCHAR",
    "date": "DATE",
    "local_date": "DATE",
    "timestamp": "TIMESTAMP",
    "decimal": "DECIMAL(18,2)",
    "integer": "INTEGER",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
}
#: Keys of tokens stand in variables of the session that checks rows (`tokens.define_macros`).
_SESSION_STATE = re.compile(r"(getvariable|current_setting)\W*\(|duckdb_variables", re.IGNORECASE)


@lru_cache(maxsize=1024)
def untenable(contract: FeedContract) -> tuple[str, ...]:
    """A sentence for each pattern and condition that no row could be held to."""
    with connect() as con:
        con.execute("SET enable_external_access = false")
        con.execute("SET lock_configuration = true")
        return tuple(
            f"{record.table}, {fault}"
            for record in contract.records
            for fault in _record_faults(con, record)
        )


def _record_faults(con: duckdb.DuckDBPyConnection, record: RecordContract) -> Iterator[str]:
    for column in record.columns:
        if column.pattern is not None:
            fault = _refusal(con, f"SELECT regexp_full_match('', {quote(column.pattern)})")
            if fault:
                yield f"property {column.name}: pattern {column.pattern!r} cannot be read: {fault}"
    # A row of nulls in the form of `checks`, where the name of personal data stands for its token.
    names = {c.stored_name: _TYPES[c.type] for c in record.columns}
    names |= {c.name: "VARCHAR" for c in record.columns if c.pii}
    nulls = ", ".join(f'CAST(NULL AS {kind}) AS "{name}"' for name, kind in names.items())
    for rule in record.rules:
        if fault := _rule_fault(con, rule, nulls):
            yield (
                f"quality {rule.reason_code} of column {rule.column}: violatedWhen "
                f"{rule.violated_when!r} {fault}"
            )


def _rule_fault(con: duckdb.DuckDBPyConnection, rule: RowRule, nulls: str) -> str | None:
    # `row_number` keeps aggregates out, as the statement of the checks does.
    query = f"SELECT row_number, ({rule.violated_when}) FROM (SELECT 1 AS row_number, {nulls})"
    if _SESSION_STATE.search(rule.violated_when):
        return "reads the session, where keys are; a condition is about the columns of its row"
    if fault := _refusal(con, query):
        return f"cannot be read: {fault}"
    kind = con.description[1][1] if con.description else None
    if kind != duckdb.sqltypes.BOOLEAN:
        return f"is no condition: it is a {kind}"
    return None


def _refusal(con: duckdb.DuckDBPyConnection, query: str) -> str | None:
    """The first line of what DuckDB has against the query."""
    try:
        if len(con.extract_statements(query)) != 1:
            return "it is more than one statement"
        con.execute(query)
    except duckdb.Error as error:
        return str(error).splitlines()[0].rstrip(".")
    return None
