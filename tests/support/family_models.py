"""Small trained models of the families beside customer ranking, each trained once a process."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import pyarrow as pa

from paymentor_assets.models import artefact, families, model_card
from paymentor_assets.models.artefact import ModelArtefact
from paymentor_assets.models.family_spec import FamilySpec
from paymentor_assets.models.trainers import train
from paymentor_assets.models.training import TrainingData
from paymentor_assets.models.training_rows import rows_of
from tests.support import lender_events


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


@cache
def without_uplift() -> ModelArtefact:
    """Offer propensity, learned from offers that were all made."""
    extract = rows("offer_propensity")
    made = extract.filter(extract.column("is_offered"))
    return train(spec("offer_propensity"), TrainingData(made))
