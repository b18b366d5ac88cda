"""Whose event is it: action, account and customer of a provider's message id, tag or address."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa
from pyiceberg.expressions import And, EqualTo, In, Or
from sqlalchemy import Column, Connection, select

from paymentor_assets.audit.publications import newest
from resources.lakehouse import Lakehouse
from resources.operational_schema import actions, deliveries
from resources.operational_store import OperationalStore

PORTFOLIO = "raw.portfolio_accounts"
_CHUNK = 1_000
_OWNERS = pa.schema(
    [
        ("reference", pa.string()),
        ("lender_id", pa.string()),
        ("action_id", pa.string()),
        ("account_id", pa.string()),
        ("customer_id", pa.string()),
    ]
)


def stage_owners(con: duckdb.DuckDBPyConnection, lake: Lakehouse, store: OperationalStore) -> None:
    """Make tables `by_message`, `by_tag` and `by_address` for the references in `found`.

    Messages are looked up among the deliveries, tags among the actions. Addresses, which are asked
    only for what no message id explains and what must be honoured all the same (replies, opt-outs,
    complaints, bounces), among everybody ever written to and in the newest portfolio.
    """
    with store.read() as connection:
        messages = _owners(
            connection, deliveries.c.provider_message_id, _distinct(con, "provider_message_id")
        )
        tags = _owners(connection, actions.c.action_id, _distinct(con, "tagged_action_id"))
        con.register("by_message_in", messages)
        con.register("by_tag_in", tags)
        con.execute(
            "CREATE OR REPLACE TEMP TABLE by_message AS SELECT DISTINCT * FROM by_message_in"
        )
        con.execute("CREATE OR REPLACE TEMP TABLE by_tag AS SELECT DISTINCT * FROM by_tag_in")
        tokens = _unexplained_addresses(con)
        written_to = _owners(connection, actions.c.address_token, tokens)
    con.register("written_to", written_to)
    con.register("in_portfolio", _in_portfolio(con, lake, tokens))
    con.execute(
        "CREATE OR REPLACE TEMP TABLE by_address AS "
        "SELECT DISTINCT reference, lender_id, customer_id FROM written_to "
        "UNION SELECT DISTINCT reference, lender_id, customer_id FROM in_portfolio"
    )


def _distinct(con: duckdb.DuckDBPyConnection, column: str) -> list[str]:
    rows = con.execute(
        f"SELECT DISTINCT {column} FROM found WHERE {column} IS NOT NULL ORDER BY 1"
    ).fetchall()
    return [row[0] for row in rows]


def _unexplained_addresses(con: duckdb.DuckDBPyConnection) -> list[str]:
    rows = con.execute(
        """
        SELECT DISTINCT address_token FROM found AS f
        WHERE address_token IS NOT NULL
            AND event_type IN ('replied', 'opted_out', 'complained', 'bounced', 'failed')
            AND NOT EXISTS (FROM by_message AS m WHERE m.reference = f.provider_message_id)
            AND NOT EXISTS (FROM by_tag AS t WHERE t.reference = f.tagged_action_id)
        ORDER BY 1
        """
    ).fetchall()
    return [row[0] for row in rows]


def _owners(connection: Connection, column: Column[str], references: Sequence[str]) -> pa.Table:
    table = column.table
    rows: list[dict[str, object]] = []
    for start in range(0, len(references), _CHUNK):
        query = select(
            column.label("reference"),
            table.c.lender_id,
            table.c.action_id,
            table.c.account_id,
            table.c.customer_id,
        ).where(column.in_(references[start : start + _CHUNK]))
        rows.extend(dict(row) for row in connection.execute(query.distinct()).mappings())
    return pa.Table.from_pylist(rows, schema=_OWNERS)


def _in_portfolio(
    con: duckdb.DuckDBPyConnection, lake: Lakehouse, tokens: Sequence[str]
) -> pa.Table:
    """Customers whose phone or e-mail a token is, by the newest ingestion of each lender."""
    found = [_OWNERS.empty_table().select(["reference", "lender_id", "customer_id"])]
    if not tokens:
        return found[0]
    lenders = con.execute("SELECT DISTINCT lender_id FROM raw ORDER BY 1").fetchall()
    for (lender_id,) in lenders:
        publication = newest(lake, "ingestion", lender_id)
        if publication is None or PORTFOLIO not in publication.tables:
            continue
        rows = lake.scan(
            PORTFOLIO,
            publication.table(PORTFOLIO).snapshot_id,
            And(
                EqualTo("_lender_id", lender_id),
                Or(In("phone_token", tokens), In("email_token", tokens)),
            ),
            ["_lender_id", "customer_id", "phone_token", "email_token"],
        )
        for column in ("phone_token", "email_token"):
            found.append(
                pa.table(
                    {
                        "reference": rows.column(column),
                        "lender_id": rows.column("_lender_id"),
                        "customer_id": rows.column("customer_id"),
                    }
                )
            )
    owners = pa.concat_tables(found)
    return owners.group_by(owners.column_names).aggregate([])
