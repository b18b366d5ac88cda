"""Which columns a family's features read, and what the marts' own words say about their use.

The words (`pii_class`, `credit_decision`, tags) stand beside each column in the dbt project; here
they are carried to the model card and the registry, and held: a feature that reads a protected
characteristic or a proxy of one is refused, and a family that decides credit reads nothing that is
excluded from such decisions.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from paymentor_assets.features.project import load_manifest
from paymentor_assets.models.family_spec import FamilySpec
from paymentor_assets.models.feature_spec import columns_read
from resources.errors import ContractError

PROXY_TAG = "protected_proxy"
#: Marts by the letter that stands for them in a feature's expression.
MARTS = {"a": "account_features", "p": "customer_profile", "g": "channel_engagement"}
#: Excluded from decisions as a value of its own; here they date a feature, or name its unit.
FRAME_COLUMNS = frozenset({"as_of_date", "currency"})


def features_of(spec: FamilySpec) -> list[dict[str, Any]]:
    """Each feature with the columns it reads, their classes of personal data and their fair use.

    Raises ContractError naming family, feature and column for a column that may not be read.
    """
    words = _words()
    found = []
    for feature in spec.features:
        read = [
            (mart, name) for alias, mart in MARTS.items() for name in columns_read([feature], alias)
        ]
        told = {f"{mart}.{name}": words[mart, name] for mart, name in read}
        for column, word in told.items():
            _check(spec, feature.name, column, word)
        found.append(
            {
                "feature": feature.name,
                "columns": sorted(told),
                "pii_class": sorted({word["pii_class"] for word in told.values()}),
                "is_allowed_in_credit_decisions": all(
                    word["credit_decision"] == "allowed" or name.split(".")[1] in FRAME_COLUMNS
                    for name, word in told.items()
                ),
                "tags": sorted({tag for word in told.values() for tag in word["tags"]}),
            }
        )
    return found


def _check(spec: FamilySpec, feature: str, column: str, word: dict[str, Any]) -> None:
    what = f"{spec.family}: feature {feature!r} reads {column}, which"
    if PROXY_TAG in word["tags"]:
        raise ContractError(
            f"{what} is a protected characteristic or stands for one. Leave the feature out."
        )
    is_excluded = word["credit_decision"] != "allowed" and column.split(".")[1] not in FRAME_COLUMNS
    if spec.decides_credit and is_excluded:
        raise ContractError(
            f"{what} is excluded from decisions on credit. Leave the feature out, or use the "
            "family for other decisions only."
        )


@cache
def _words() -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (node["name"], column["name"]): {
            **column["config"]["meta"],
            "tags": column["config"].get("tags", column["tags"]),
        }
        for node in load_manifest()["nodes"].values()
        if node["resource_type"] == "model" and node["name"] in MARTS.values()
        for column in node["columns"].values()
    }
