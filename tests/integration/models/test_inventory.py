"""The inventory names everything that decides, and moves only when that does."""

from __future__ import annotations

import dagster as dg

from paymentor_assets.models import families
from paymentor_assets.models import registry as models
from paymentor_assets.strategies.inventory import CHANGE_REVIEW, INVENTORY, inventory
from paymentor_assets.strategies.inventory_assets import model_inventory
from tests.integration.models.conftest import Register
from tests.support.model_lender import CLOCK, ModelLender


def _materialize(place: ModelLender) -> int | None:
    upstream = dg.AssetSpec(["models", "approvals"])
    resources = {"lakehouse": place.lake, "registry": place.registry}
    assert dg.materialize([upstream, model_inventory], resources=resources).success
    return place.lake.head(INVENTORY.name)


def test_everything_that_decides_is_listed(place: ModelLender, register: Register) -> None:
    version = register()
    register("second")
    models.approve(
        place.lake, place.registry, place.store, family="customer_ranking", version=1,
        actor="officer", reason="good", clock=CLOCK,
    )  # fmt: skip
    rows = inventory(place.lake, place.registry).to_pylist()
    by_name = {(row["name"], row["version"]): row for row in rows}
    in_force = by_name["customer_ranking", "1"]
    assert (in_force["state"], in_force["approver"]) == ("in_force", "officer")
    assert in_force["digest"] == version.artefact_sha256
    assert by_name["customer_ranking", "2"]["state"] == "registered"
    assert by_name["customer_ranking", "2"]["approver"] is None
    assert {row["name"] for row in rows if row["kind"] == "model"} == set(families.NAMES)
    assert by_name["income_imputation", ""]["state"] == "not_trained"
    files = {row["name"]: row for row in rows if row["kind"] != "model"}
    assert set(files) == {
        "compliance/rulebooks/house.yaml", "compliance/rulebooks/india.yaml",
        "compliance/rulebooks/united_states.yaml", "compliance/rulebooks/us_states.yaml",
        "strategies/treatments.yaml", "offers/policy.yaml",
    }  # fmt: skip
    assert all(row["owner"] and row["purpose"] and row["state"] for row in rows)
    assert all(row["approver"] == CHANGE_REVIEW and row["digest"] for row in files.values())


def test_the_table_moves_only_when_something_has_changed(
    place: ModelLender, register: Register
) -> None:
    first = _materialize(place)
    assert _materialize(place) == first
    register()
    assert _materialize(place) != first
