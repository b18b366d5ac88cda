"""The protected group of a borrower in the training extract: to judge fairness by, never learned.

What the group is stands in the family (`FamilySpec.protected`); what is made of it in `fairness`.
"""

from __future__ import annotations

import pyarrow as pa

from paymentor_assets.models import families
from paymentor_assets.models.family_spec import PROTECTED, FamilySpec
from paymentor_assets.models.feature_spec import columns_read
from resources.duck import connect


def protected_columns() -> list[str]:
    """Columns of features.customer_profile that protected groups are made of."""
    specs: list[FamilySpec] = [families.get(name).SPEC for name in families.NAMES]
    return columns_read([], "p", *(spec.protected for spec in specs if spec.protected))


def with_groups(spec: FamilySpec, rows: pa.Table, profiles: pa.Table) -> pa.Table:
    """Rows of CUSTOMER_KEYS and more, with the protected group of each; null where unknown.

    `profiles` has CUSTOMER_KEYS and the columns of `protected_columns()`.
    """
    with connect() as con:
        con.register("rows", rows)
        con.register("profiles", profiles)
        return con.execute(
            f"""
            SELECT r.*, CAST({spec.protected} AS VARCHAR) AS {PROTECTED}
            FROM rows AS r
            LEFT JOIN profiles AS p
              ON p.lender_id = r.lender_id AND p.customer_id = r.customer_id
             AND p.as_of_date = r.as_of_date
            """
        ).to_arrow_table()
