"""The inventory: everything that decides about a person, model or not, in one list.

A supervisor asks for more than the models: rulebooks, the treatment strategy and the offer policy
move outcomes as much. Of each: id, version, owner, purpose, state, and who approved it. Models are
approved by a recorded decision; what stands in a file of the release is approved by the review of
its change, which the version pins.
"""

from __future__ import annotations

from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import pyarrow as pa

from paymentor_assets.compliance.rules import Rulebook
from paymentor_assets.models import families
from paymentor_assets.models.inventory import family_names, list_versions
from paymentor_assets.offers.policy import load_policy
from paymentor_assets.strategies.treatments import load_strategy
from resources.lakehouse import Lakehouse, TableContract, column
from resources.registry import ModelRegistry

DATA_SCIENCE, RISK = "team:data-science", "team:risk"
#: Who approves what is a file of the release.
CHANGE_REVIEW = "review of the release"
_RULEBOOK = "Which contacts and offers are forbidden, where and when."
_STRATEGY = "What is said to whom, and what a contact is assumed to add."
_OFFERS = "Who is offered what, up to which amount, at which rate."

INVENTORY = TableContract(
    name="models.inventory",
    description="Everything that decides: models, rulebook, strategy and offer policy.",
    key=("kind", "name", "version"),
    schema=pa.schema(
        [
            column("kind", pa.string(), "model, rulebook, strategy or offer_policy."),
            column("name", pa.string(), "Family, or the file's name."),
            column("version", pa.string(), "Registry version, or digest of what the file means."),
            column("digest", pa.string(), "SHA-256 of the artefact or of the file."),
            column("owner", pa.string(), "Team that answers for it."),
            column("purpose", pa.string(), "What it decides."),
            column(
                "state",
                pa.string(),
                "in_force, approved, registered, rejected, rolled_back or not_trained.",
            ),
            column("approver", pa.string(), "Who approved it; null while nobody has."),
        ]
    ),
)


def inventory(lake: Lakehouse, registry: ModelRegistry) -> pa.Table:
    """Rows of INVENTORY, in order of kind, name and version.

    A family of the house of which no version was trained has one row without version, so that its
    absence is seen too. Raises ContractError or GateError when a file does not mean anything.
    """
    rows = [*_models(lake, registry), *_files()]
    ordered = sorted(rows, key=lambda row: (row["kind"], row["name"], row["version"]))
    return pa.Table.from_pylist(ordered, schema=INVENTORY.schema)


def _models(lake: Lakehouse, registry: ModelRegistry) -> list[dict[str, Any]]:
    rows = []
    for family in sorted({*families.NAMES, *family_names(lake, registry)}):
        common = {
            "kind": "model",
            "name": family,
            "owner": DATA_SCIENCE,
            "purpose": _purpose(family),
        }
        versions = list_versions(lake, registry, family)
        rows += [
            {
                **common,
                "version": str(entry["version"]),
                "digest": entry["artefact_sha256"],
                "state": "in_force" if entry["is_champion"] else entry["state"],
                "approver": entry["decided_by"] if entry["state"] == "approved" else None,
            }
            for entry in versions
        ]
        if not versions:
            rows.append({**common, "version": "", "state": "not_trained"})
    return rows


def _purpose(family: str) -> str:
    """The first sentence of the family's own description."""
    if family not in families.NAMES:
        return "A registered model that is no family of this release."
    described = families.get(family).__doc__ or ""
    return " ".join(described.split("\n\n")[0].split())


def _files() -> list[dict[str, Any]]:
    policy = load_policy()
    strategy = load_strategy().version(policy)
    # The pages of the rulebook are in force together, under one version.
    rulebook = Rulebook.load().version
    pages = sorted(files("paymentor_assets.compliance").joinpath("rulebooks").iterdir(), key=_name)
    described = [
        *(
            ("rulebook", f"compliance/rulebooks/{page.name}", rulebook, page, _RULEBOOK)
            for page in pages
            if page.name.endswith(".yaml")
        ),
        (
            "strategy", "strategies/treatments.yaml", strategy,
            files("paymentor_assets.strategies").joinpath("treatments.yaml"), _STRATEGY,
        ),
        (
            "offer_policy", "offers/policy.yaml", policy.version,
            files("paymentor_assets.offers").joinpath("policy.yaml"), _OFFERS,
        ),
    ]  # fmt: skip
    return [
        {
            "kind": kind,
            "name": name,
            "version": version,
            "digest": sha256(source.read_bytes()).hexdigest(),
            "owner": RISK,
            "purpose": purpose,
            "state": "in_force",
            "approver": CHANGE_REVIEW,
        }
        for kind, name, version, source, purpose in described
    ]


def _name(path: Traversable) -> str:
    return path.name
