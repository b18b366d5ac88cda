"""What the gate has to be told about a contact or offer before it can judge it."""

from __future__ import annotations

import pyarrow as pa

from resources.errors import GateError
from resources.lakehouse import MONEY, TIMESTAMP

#: Columns of a candidate that rules read. Callers may carry more; the gate passes over them.
JUDGED = pa.schema(
    [
        ("candidate_id", pa.string()),
        ("candidate_kind", pa.string()),
        ("account_id", pa.string()),
        ("customer_id", pa.string()),
        ("purpose", pa.string()),
        ("channel", pa.string()),
        ("scheduled_at_utc", TIMESTAMP),
        ("time_zone", pa.string()),
        ("country", pa.string()),
        ("state", pa.string()),
        ("locality", pa.string()),
        ("address_token", pa.string()),
        ("amount_due", MONEY),
        ("offer_amount", MONEY),
        ("offer_annual_rate", pa.float64()),
        ("offer_tenor_months", pa.int64()),
        ("offer_emi", MONEY),
        ("offer_expires_at_utc", TIMESTAMP),
    ]
)


def judged_columns(candidates: pa.Table) -> pa.Table:
    """The candidates cut down to what the gate reads.

    Raises GateError when a column is absent or the ids are not unique: a gate that does not know
    what it judges must not say "allow".
    """
    missing = [name for name in JUDGED.names if name not in candidates.column_names]
    if missing:
        raise GateError(f"The candidates lack the columns {missing}; nothing was judged.")
    rows = candidates.select(JUDGED.names).cast(JUDGED)
    ids = rows.column("candidate_id")
    if ids.null_count or len(ids.unique()) != len(ids):
        raise GateError("Candidate ids are missing or not unique; nothing was judged.")
    return rows
