"""What came of scored days: the outcomes that monitors hold against scores, once they are known.

One reader a kind of outcome. Each gives rows with the key of the scores' table, for the days whose
outcome is known; that the horizon of a day has passed is the caller's business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from paymentor_assets.audit.publications import covering, newest, read_table
from paymentor_assets.lenders import Lender
from paymentor_assets.models.training_extract import (
    INGESTION_STAGE,
    LABELS_STAGE,
    events_known_before,
    feature_contract,
)
from paymentor_assets.models.training_rows import (
    AFTER_THE_DAY,
    CAMPAIGNS,
    CLICKS,
    Source,
    newest_sql,
    relation,
)
from resources.clock import naive_utc
from resources.duck import connect
from resources.lakehouse import Lakehouse

#: Lake, lender, the day by whose cut-off outcomes must be known, and the days they are of.
Reader = Callable[[Lakehouse, Lender, date, Sequence[date]], pa.Table]

_LABELS = "features.repayment_labels"
_LABEL_KEY = ["lender_id", "account_id", "as_of_date"]


def label(name: str) -> Reader:
    """Reads a label of features.repayment_labels: the key of accounts, and `name`."""

    def read(lake: Lakehouse, lender: Lender, known_by: date, days: Sequence[date]) -> pa.Table:
        published = covering(lake, LABELS_STAGE, lender.lender_id)
        labelled = [day for day in days if day in published]
        if not labelled:
            return pa.table({})
        contract = feature_contract(lake, _LABELS)
        rows = pa.concat_tables(
            read_table(lake, published[day], contract, day, [*_LABEL_KEY, name]) for day in labelled
        )
        return rows.filter(pc.is_valid(rows.column(name)))

    return read


def accepted(lake: Lakehouse, lender: Lender, known_by: date, days: Sequence[date]) -> pa.Table:
    """Whether an offer that was made in the week after the day was `accepted`; the key of offers.

    An offer that was not made has no row: what would have come of it is not known.
    """
    return _after_the_day(
        lake,
        lender,
        known_by,
        days,
        CAMPAIGNS,
        f"""
        SELECT customer_id, p.as_of_date, product, channel,
               bool_or(response = 'accepted') AS accepted
        FROM ({newest_sql(CAMPAIGNS)}) AS c
        JOIN days AS p ON CAST(c.offered_at_utc AS DATE) {AFTER_THE_DAY}
        WHERE NOT is_control
        GROUP BY ALL
        """,
    )


def visited(lake: Lakehouse, lender: Lender, known_by: date, days: Sequence[date]) -> pa.Table:
    """The products that a customer `visited` in the week after the day; the key of affinities.

    Only customers who visited any have rows, one for every product that anybody visited.
    """
    return _after_the_day(
        lake,
        lender,
        known_by,
        days,
        CLICKS,
        f"""
        WITH seen AS (
            SELECT DISTINCT c.customer_id, p.as_of_date, c.product
            FROM ({newest_sql(CLICKS)}) AS c
            JOIN days AS p ON CAST(c.occurred_at_utc AS DATE) {AFTER_THE_DAY}
            WHERE c.product IS NOT NULL
        )
        SELECT who.customer_id, who.as_of_date, what.product, s.product IS NOT NULL AS visited
        FROM (SELECT DISTINCT customer_id, as_of_date FROM seen) AS who
        CROSS JOIN (SELECT DISTINCT product FROM seen) AS what
        LEFT JOIN seen AS s
          ON s.customer_id = who.customer_id AND s.as_of_date = who.as_of_date
         AND s.product = what.product
        """,
    )


def _after_the_day(
    lake: Lakehouse,
    lender: Lender,
    known_by: date,
    days: Sequence[date],
    source: Source,
    sql: str,
) -> pa.Table:
    ingestion = newest(lake, INGESTION_STAGE, lender.lender_id)
    end = naive_utc(lender.cutoff_utc(known_by)) + timedelta(microseconds=1)
    events = events_known_before(lake, ingestion, source, lender.lender_id, end)
    with connect() as con:
        con.register(relation(source), events)
        con.register("days", pa.table({"as_of_date": pa.array(days, pa.date32())}))
        found = con.execute(
            f"SELECT $lender AS lender_id, * FROM ({sql}) AS found", {"lender": lender.lender_id}
        )
        return found.to_arrow_table()
