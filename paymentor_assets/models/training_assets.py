"""The training asset, of the model_development location."""

import dagster as dg

from paymentor_assets.asset_metadata import DATA_SCIENCE
from paymentor_assets.audit.publications import RunInfo
from paymentor_assets.models import artefact, model_card, plots
from paymentor_assets.models.development import (
    DevelopmentSettings,
    development_lakehouse,
    train_and_register,
)
from paymentor_assets.models.families import customer_ranking as family
from resources.clock import Clock
from resources.registry import ModelRegistry

TRAINING_VERSION = "2"
TRAINING_EXTRACT = dg.AssetKey(["models", "training_extract"])


@dg.asset(
    key=["models", family.FAMILY],
    deps=[TRAINING_EXTRACT],
    group_name="models",
    owners=[DATA_SCIENCE],
    kinds={"xgboost", "lightgbm", "mlflow"},
    code_version=TRAINING_VERSION,
    description=(
        "Models of payment within 7 and 30 days and of the share recovered, the best of several "
        "candidates each, judged on later days, registered in MLflow. Nothing scores with it "
        "before somebody approves it."
    ),
    metadata={
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn(
                    target.name,
                    type="double",
                    description=f"Predicted {'probability' if target.is_probability else 'amount'},"
                    f" {target.horizon_days} days ahead.",
                )
                for target in family.SPEC.targets
            ]
        )
    },
)
def customer_ranking(
    context: dg.AssetExecutionContext,
    development: dg.ResourceParam[DevelopmentSettings],
    registry: dg.ResourceParam[ModelRegistry],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult[None]:
    """Train on the newest extract and register the artefact."""
    version, model = train_and_register(
        development_lakehouse(development.development_dir),
        registry,
        trainer=development.trainer,
        run=RunInfo(context.run.run_id, TRAINING_VERSION, clock),
    )
    report = model.card["targets"]["paid_30d"]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": model.card["data"]["rows"],
            "model_version": version.version,
            "artefact_sha256": version.artefact_sha256,
            "trainer": version.trainer,
            "auc_paid_30d": report["test"]["auc"],
            "auc_paid_30d_delinquent": report["test_delinquent"]["auc"] or "one outcome only",
            "auc_paid_30d_baseline": report["baseline"]["auc"],
            "extract_publications": model.card["data"]["publications"],
            "calibration": dg.MetadataValue.md(
                plots.calibration(report["calibration"], "paid_30d: realised over predicted")
            ),
            "model_card": dg.MetadataValue.md(model_card.render(model)),
            "approve_with": f"paymentor models approve {family.FAMILY} {version.version} "
            "--actor NAME --reason WHY",
            "files": ", ".join(sorted(artefact.read_files(registry.artefact_dir(version)))),
        }
    )
