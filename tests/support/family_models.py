"""Small trained models of the families beside customer ranking, each trained once a process."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import pyarrow as pa

from paymentor_assets.models import artefact, families, model_card
from paymentor_assets.models.approvals import ApprovalEvent
from paymentor_assets.models.artefact import ModelArtefact
from paymentor_assets.models.family_spec import FamilySpec
from paymentor_assets.models.registry import ApprovedModel
from paymentor_assets.models.trainers import train
from paymentor_assets.models.training import TrainingData
from paymentor_assets.models.training_rows import rows_of
from resources.clock import naive_utc
from tests.support import lender_events
from tests.support.model_lender import CLOCK


def spec(name: str) -> FamilySpec:
    """What the family is to the platform."""
    found: FamilySpec = families.get(name).SPEC
    return found


@cache
def rows(name: str) -> pa.Table:
    """The family's extract of tests/support/lender_events.py."""
    return rows_of(spec(name), lender_events.published(), "salt")


@cache
def model(name: str) -> ModelArtefact:
    """Trained on `rows`."""
    return train(spec(name), TrainingData(rows(name)))


@cache
def files(name: str) -> Mapping[str, bytes]:
    """The artefact of `model` as it is registered."""
    return artefact.files_of(model(name), model_card.render(model(name)))


def approved(name: str) -> ApprovedModel:
    """`model` under an approval."""
    return _under_approval(model(name))


@cache
def without_uplift() -> ApprovedModel:
    """Offer propensity, learned from offers that were all made."""
    extract = rows("offer_propensity")
    made = extract.filter(extract.column("is_offered"))
    return _under_approval(train(spec("offer_propensity"), TrainingData(made)))


def _under_approval(trained: ModelArtefact) -> ApprovedModel:
    approval = ApprovalEvent(
        family=trained.family,
        version=3,
        artefact_sha256="a" * 64,
        state="approved",
        actor="officer",
        reason="good",
        trainer="scientist",
        at_utc=naive_utc(CLOCK.now()),
        sequence=2,
    )
    return ApprovedModel(trained, approval)
