"""What must hold of a published day of a family's scores."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from paymentor_assets.rankings.tables import (
    AFFINITY_INDEX,
    CHANNEL_PROPENSITY,
    CUSTOMER_SEGMENTS,
    DAY_PARTS,
    INCOME_ESTIMATES,
    OFFER_PROPENSITY,
)
from resources.duck import connect
from resources.lakehouse import TableContract

UNIQUE_KEY = "key_is_unique"
IN_RANGE = "values_are_in_range"
CHECKS = {
    UNIQUE_KEY: "No key of the table has two rows.",
    IN_RANGE: "Probabilities, amounts, ranks and distances are values that can be.",
}

#: What each row must fulfil.
_RANGES: Mapping[str, str] = {
    CUSTOMER_SEGMENTS.name: (
        "segment IN ('high_risk', 'low_risk', 'high_value') AND segment_id BETWEEN 0 AND 2"
        " AND distance >= 0 AND isfinite(distance)"
    ),
    AFFINITY_INDEX.name: "isfinite(score) AND rank >= 1",
    CHANNEL_PROPENSITY.name: f"p_engage BETWEEN 0 AND 1 AND rank >= 1 AND hour_band IN {DAY_PARTS}",
    INCOME_ESTIMATES.name: (
        "income > 0 AND CASE WHEN is_imputed THEN lower >= 0 AND lower <= upper"
        " ELSE lower IS NULL AND upper IS NULL END"
    ),
    OFFER_PROPENSITY.name: (
        "p_accept BETWEEN 0 AND 1 AND (uplift IS NULL OR uplift BETWEEN -1 AND 1)"
    ),
}


def violations(contract: TableContract, rows: pa.Table) -> dict[str, int]:
    """How many rows break each check of CHECKS; unknown where a value must be counts as broken."""
    with connect() as con:
        con.register("scores", rows)
        found = con.execute(
            f"""
            SELECT (SELECT count(*) FROM scores)
                       - (SELECT count(*) FROM (SELECT DISTINCT {", ".join(contract.key)}
                                                FROM scores)),
                   (SELECT count(*) FROM scores WHERE NOT coalesce({_RANGES[contract.name]}, false))
            """
        ).fetchall()[0]
    return dict(zip(CHECKS, (int(number) for number in found), strict=True))
