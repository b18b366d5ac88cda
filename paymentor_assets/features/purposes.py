"""What a reader may see of account-aggregator data: one place for training, scoring and offers.

Columns of features.customer_profile that rest on account-aggregator data carry the tag `aa_derived`
in the dbt project. A reader names its purpose and takes the profile through `profile_as_seen_sql`:
a tagged column is null there unless a consent that was valid at the day's cut-off covers that
purpose, so no later expression can read one bare. Which purposes may become features at all is
decided in the dbt project (`aa_feature_purposes`).
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from pathlib import Path

from paymentor_assets.features.project import MANIFEST_PATH, load_manifest
from resources.duck import quote
from resources.errors import ContractError

AA_TAG = "aa_derived"
_PROFILE = "customer_profile"


@cache
def aa_columns(manifest_path: Path = MANIFEST_PATH) -> frozenset[str]:
    """Columns of features.customer_profile that are tagged as account-aggregator data.

    Raises ContractError when none is: a lost tag must not open the data to everybody.
    """
    tagged = frozenset(
        str(column["name"])
        for node in load_manifest(manifest_path)["nodes"].values()
        if node["resource_type"] == "model" and node["name"] == _PROFILE
        for column in node["columns"].values()
        if AA_TAG in column["config"].get("tags", column["tags"])
    )
    if not tagged:
        raise ContractError(
            f"No column of {_PROFILE} is tagged {AA_TAG} in the dbt manifest; restore the tags in "
            f"{_PROFILE}.yml and run `make setup`."
        )
    return tagged


def covers_sql(purpose: str) -> str:
    """Condition on `aa_purposes`: a consent valid at the cut-off covers the purpose (its code)."""
    return f"coalesce(list_contains(string_split(aa_purposes, ';'), {quote(purpose)}), false)"


def profile_as_seen_sql(
    relation: str, columns: Collection[str], purpose: str | None, *, tagged: Collection[str]
) -> str:
    """SELECT of `columns` from rows of features.customer_profile, as a reader may see them.

    `purpose` is the reader's purpose code (ReBIT, such as `104`); None is a reader without one
    (marketing), for whom every column in `tagged` is null. `relation` has `aa_purposes` whenever a
    tagged column is read for a purpose.
    """
    covered = "false" if purpose is None else covers_sql(purpose)
    items = ", ".join(
        f'CASE WHEN {covered} THEN "{name}" END AS "{name}"' if name in tagged else f'"{name}"'
        for name in sorted(columns)
    )
    return f"SELECT {items} FROM {relation}"
