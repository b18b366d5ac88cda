"""The training assets, of the model_development location: one a family, made by one factory."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from paymentor_assets.asset_metadata import DATA_SCIENCE
from paymentor_assets.audit.publications import RunInfo
from paymentor_assets.models import artefact, families, model_card, plots
from paymentor_assets.models.artefact import ModelArtefact
from paymentor_assets.models.development import (
    DevelopmentSettings,
    development_lakehouse,
    train_and_register,
)
from paymentor_assets.models.family_spec import FamilySpec
from resources.clock import Clock
from resources.registry import ModelRegistry

TRAINING_VERSION = "3"
TRAINING_EXTRACT = dg.AssetKey(["models", "training_extract"])


def training_asset(spec: FamilySpec) -> dg.AssetsDefinition:
    """The asset that trains a family on its newest extract and registers the artefact.

    Its run fails with a sentence when the extract does not suffice to learn and to judge.
    """

    @dg.asset(
        key=["models", spec.family],
        deps=[TRAINING_EXTRACT],
        group_name="models",
        owners=[DATA_SCIENCE],
        kinds={"python", "mlflow"},
        code_version=TRAINING_VERSION,
        description=(
            f"{spec.purpose} Trained on earlier days, judged on later ones, registered in MLflow. "
            "Nothing scores with it before somebody approves it."
        ),
        metadata={
            "dagster/column_schema": dg.TableSchema(
                columns=[
                    dg.TableColumn(target.name, type="double", description=target.description)
                    for target in spec.targets
                ]
                or [dg.TableColumn(spec.family, type="string", description=spec.purpose)]
            )
        },
    )
    def trained(
        context: dg.AssetExecutionContext,
        development: dg.ResourceParam[DevelopmentSettings],
        registry: dg.ResourceParam[ModelRegistry],
        clock: dg.ResourceParam[Clock],
    ) -> dg.MaterializeResult[None]:
        """Train on the newest extract and register the artefact."""
        version, model = train_and_register(
            development_lakehouse(development.development_dir),
            registry,
            spec.family,
            trainer=development.trainer,
            run=RunInfo(context.run.run_id, TRAINING_VERSION, clock),
        )
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": model.card["data"]["rows"],
                "model_version": version.version,
                "artefact_sha256": version.artefact_sha256,
                "model_digest": model.digest(),
                "trainer": version.trainer,
                **_metrics(model),
                "extract_publications": model.card["data"]["publications"],
                "model_card": dg.MetadataValue.md(model_card.render(model)),
                "approve_with": f"paymentor models approve {spec.family} {version.version} "
                "--actor NAME --reason WHY",
                "files": ", ".join(sorted(artefact.read_files(registry.artefact_dir(version)))),
            }
        )

    return trained


def _metrics(model: ModelArtefact) -> Mapping[str, Any]:
    """The registry's figures, and a calibration plot a probability."""
    figures: dict[str, Any] = {
        name.replace(".", "_"): value for name, value in model_card.headline(model).items()
    }
    for target, report in model.card["targets"].items():
        if report.get("calibration"):
            title = f"{target}: realised over predicted"
            figures[f"calibration_{target}"] = dg.MetadataValue.md(
                plots.calibration(report["calibration"], title)
            )
    return figures


assets: list[dg.AssetsDefinition] = [
    training_asset(families.get(name).SPEC) for name in families.NAMES
]
