"""A lender with published features, and a registry that already has MLflow's tables."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from paymentor_assets.models import artefact, model_card
from resources.registry import ModelRegistry, RegisteredVersion
from tests.support import trained_model
from tests.support.model_lender import CLOCK, ModelLender, model_lender

Register = Callable[..., RegisteredVersion]


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's migrations, run once for all tests."""
    registry = ModelRegistry(tmp_path_factory.mktemp("registry"))
    registry.prepare()
    return registry.database


@pytest.fixture
def place(tmp_path: Path, empty_registry: Path) -> ModelLender:
    place = model_lender(tmp_path)
    place.registry.directory.mkdir()
    shutil.copy(empty_registry, place.registry.database)
    return place


@pytest.fixture(scope="session")
def files() -> Mapping[str, bytes]:
    """The files of a small trained model."""
    model = trained_model.model()
    return artefact.files_of(model, model_card.render(model))


@pytest.fixture
def register(place: ModelLender, files: Mapping[str, bytes]) -> Register:
    """Register the small model; `note` makes it another artefact."""

    def _register(note: str = "", trainer: str = "scientist") -> RegisteredVersion:
        own = {**files, "note.txt": note.encode()} if note else files
        return place.registry.register(
            "customer_ranking",
            own,
            artefact_sha256=artefact.sha256_of_files(own),
            trainer=trainer,
            parameters={"eta": 0.12},
            metrics={"paid_30d.auc": 0.8 + len(note) / 100},
            tags={"paymentor.extract_publication.meridian": "extract-1"},
            clock=CLOCK,
        )

    return _register
