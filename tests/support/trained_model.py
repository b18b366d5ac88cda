"""One small trained customer ranking for all tests that need a model, trained once a process."""

from __future__ import annotations

from datetime import date
from functools import cache

import pandas as pd
import pyarrow as pa

from paymentor_assets.models import feature_frame
from paymentor_assets.models.approvals import ApprovalEvent
from paymentor_assets.models.artefact import ModelArtefact
from paymentor_assets.models.families.customer_ranking import SPEC
from paymentor_assets.models.protected_groups import with_groups
from paymentor_assets.models.registry import ApprovedModel
from paymentor_assets.models.trainers import train
from paymentor_assets.models.training import TrainingData
from paymentor_assets.models.training_rows import deidentified, of_accounts
from resources.clock import naive_utc
from tests.support.feature_days import feature_tables, weekly
from tests.support.model_lender import CLOCK

LAST_DAY = date(2026, 6, 30)
DAYS = weekly(LAST_DAY, 16)
CUSTOMERS = 100


@cache
def tables() -> dict[str, pa.Table]:
    """The features of all days."""
    return feature_tables(CUSTOMERS, DAYS)


@cache
def frame() -> pa.Table:
    """The feature frame of all days."""
    found = tables()
    return feature_frame.build(
        found["features.account_features"], found["features.customer_profile"]
    )


@cache
def training_rows() -> pa.Table:
    """The extract of all days."""
    return deidentified(SPEC, named_rows(), LAST_DAY, "salt")


@cache
def named_rows() -> pa.Table:
    """The extract's rows before they lose their identities."""
    rows = of_accounts(frame(), tables()["features.repayment_labels"], LAST_DAY)
    return with_groups(SPEC, rows, tables()["features.customer_profile"])


@cache
def model() -> ModelArtefact:
    """Trained on `training_rows`."""
    return train(SPEC, TrainingData(training_rows()))


@cache
def approved() -> ApprovedModel:
    """The same, under an approval."""
    approval = ApprovalEvent(
        family="customer_ranking",
        version=3,
        artefact_sha256="a" * 64,
        state="approved",
        actor="officer",
        reason="good",
        trainer="scientist",
        at_utc=naive_utc(CLOCK.now()),
        sequence=2,
    )
    return ApprovedModel(model(), approval)


def features(rows: pa.Table) -> pd.DataFrame:
    """What the model reads of a frame."""
    return rows.select(list(model().phrases)).to_pandas()


def last_day_frame() -> pa.Table:
    """The frame of the last day alone."""
    rows = frame()
    return rows.filter(pa.compute.equal(rows.column("as_of_date"), LAST_DAY))
