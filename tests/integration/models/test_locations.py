"""Both code locations in Dagster: extract, train, approve, rank; and their isolation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from paymentor_assets import model_development
from paymentor_assets.models import assets as model_assets
from paymentor_assets.models import families, training_assets
from paymentor_assets.models import registry as models
from paymentor_assets.models.development import DevelopmentSettings
from paymentor_assets.rankings import assets as ranking_assets
from paymentor_assets.settings import Settings
from tests.support.feature_days import LENDER, weekly
from tests.support.model_lender import CLOCK, ModelLender, publish_features

FEATURES = [
    dg.AssetSpec(["features", name])
    for name in (
        "account_features", "customer_profile", "repayment_labels", "channel_engagement",
    )
]  # fmt: skip
PRODUCTION = [*model_assets.assets, *ranking_assets.assets]


def _materialize(
    place: ModelLender, instance: dg.DagsterInstance, *keys: list[str], day: date | None = None
) -> Mapping[str, dict[str, object]]:
    result = dg.materialize(
        [*FEATURES, *PRODUCTION],
        selection=[dg.AssetKey(key) for key in keys],
        partition_key=day.isoformat() if day else None,
        instance=instance,
        resources={
            "lakehouse": place.lake,
            "registry": place.registry,
            "operational_store": place.store,
            "settings": Settings.load({"PAYMENTOR_HOME": str(place.home), "PAYMENTOR_ENV": "test"}),
            "lenders": {LENDER: place.lender},
            "clock": CLOCK,
        },
    )
    assert all(check.passed for check in result.get_asset_check_evaluations())
    return _metadata(result)


def _metadata(result: dg.ExecuteInProcessResult) -> Mapping[str, dict[str, object]]:
    return {
        event.materialization.asset_key.to_user_string(): {
            name: value.value for name, value in event.materialization.metadata.items()
        }
        for event in result.get_asset_materialization_events()
    }


def test_from_features_to_rankings(place: ModelLender) -> None:
    days = weekly(date(2026, 6, 30), 14)
    publish_features(place, days, customers=80)
    instance = dg.DagsterInstance.ephemeral()
    extracted = _materialize(place, instance, ["models", "training_extract"])
    assert extracted["models/training_extract"]["rows_by_lender"] == {LENDER: 80 * 13 - 13}

    development = model_development.build_defs(
        DevelopmentSettings(place.home / "development", place.registry.directory, "scientist")
    )
    trained = development.resolve_job_def("train_customer_ranking").execute_in_process(
        instance=instance
    )
    shown = _metadata(trained)["models/customer_ranking"]
    assert shown["model_version"] == 1
    assert str(shown["model_card"]).startswith("# Model card")

    waiting = _materialize(place, instance, ["models", "approvals"])["models/approvals"]
    assert (waiting["newly_recorded"], waiting["champions"]) == (1, {"customer_ranking": "none"})
    assert waiting["handed_over"]
    models.approve(
        place.lake, place.registry, place.store, family="customer_ranking", actor="officer",
        reason="good", clock=CLOCK,
    )  # fmt: skip
    ranked = _materialize(
        place, instance, ["decisions", "customer_rankings"], ["decisions", "channel_preferences"],
        day=days[-1],
    )  # fmt: skip
    rankings = ranked["decisions/customer_rankings"]
    assert rankings["dagster/row_count"] == 79
    assert rankings["model_version"] == 1
    assert "data:image/svg+xml" in str(rankings["p_pay_30d"])
    assert ranked["decisions/channel_preferences"]["dagster/row_count"] == 79 * 4


def test_no_asset_is_made_in_both_locations() -> None:
    development = model_development.build_defs(
        DevelopmentSettings(Path("development"), Path("registry"), "scientist")
    )
    made_there = {
        key
        for asset in development.assets or []
        if isinstance(asset, dg.AssetsDefinition)
        for key in asset.keys
    }
    made_here = {
        key for asset in PRODUCTION if isinstance(asset, dg.AssetsDefinition) for key in asset.keys
    }
    assert made_there == {
        dg.AssetKey(["models", name]) for name in (*families.NAMES, "champion_aliases")
    }
    assert not made_there & made_here


@pytest.mark.parametrize(
    "asset", [*PRODUCTION, *training_assets.assets, model_development.champion_aliases]
)
def test_every_asset_says_what_it_is(asset: dg.AssetsDefinition | dg.AssetSpec) -> None:
    specs = asset.specs if isinstance(asset, dg.AssetsDefinition) else [asset]
    for spec in specs:
        assert spec.group_name in ("models", "rankings")
        assert spec.owners and spec.kinds and spec.description
        if isinstance(asset, dg.AssetsDefinition):
            assert spec.code_version
            assert "dagster/column_schema" in spec.metadata


def test_development_knows_two_folders_and_a_name() -> None:
    settings = DevelopmentSettings.load(
        {
            "PAYMENTOR_HOME": "/somewhere",
            "PAYMENTOR_TRAINER": "scientist",
            "PAYMENTOR_VAULT_KEY": "never read",
        }
    )
    assert settings == DevelopmentSettings(
        Path("/somewhere/development"), Path("/somewhere/registry"), "scientist"
    )
