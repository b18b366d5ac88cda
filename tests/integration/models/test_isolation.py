"""Model development reaches its own folder and the registry, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from datetime import date
from pathlib import Path

import pytest

from paymentor_assets.models.training_extract import extract
from tests.support.feature_days import LENDER, weekly
from tests.support.model_lender import RUN, SALT_KEY, ModelLender, publish_features

PROJECT = Path(__file__).resolve().parents[3]
#: What any Python program on Linux reads of its machine.
MACHINE = ("/dev", "/etc", "/lib", "/proc", "/sys", "/usr")


@pytest.fixture(scope="module")
def report(
    tmp_path_factory: pytest.TempPathFactory, empty_registry: Path
) -> tuple[dict[str, list[str]], ModelLender, Path]:
    """A training in a process of its own, with production's folder out of reach."""
    from tests.support.model_lender import model_lender

    home = tmp_path_factory.mktemp("house")
    place = model_lender(home / "production")
    publish_features(place, weekly(date(2026, 6, 30), 14), customers=80)
    extract(place.lake, place.development, lender_id=LENDER, salt_key=SALT_KEY, run=RUN)
    place.registry.directory.mkdir()
    place.registry.database.write_bytes(empty_registry.read_bytes())
    # Development's folder and the registry stay where production put them: Iceberg metadata names
    # absolute paths. Everything else of production is taken away.
    kept = {place.home / "development", place.registry.directory}
    away = home / "taken-away"
    away.mkdir()
    for child in sorted(place.home.iterdir()):
        if child not in kept:
            child.rename(away / child.name)
    away.chmod(0)
    scratch = home / "scratch"
    scratch.mkdir()
    report = scratch / "report.json"
    environment = {
        "PATH": os.defpath,
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "PYTHONPATH": str(PROJECT),
        "PAYMENTOR_DEVELOPMENT_DIR": str(place.home / "development"),
        "PAYMENTOR_REGISTRY_DIR": str(place.registry.directory),
        "PAYMENTOR_TRAINER": "scientist",
    }
    try:
        subprocess.run(
            [sys.executable, "-m", "tests.support.confined", str(report)],
            check=True,
            cwd=scratch,
            env=environment,
        )
    finally:
        away.chmod(0o700)
    return json.loads(report.read_text()), place, scratch


def test_training_succeeds_without_production(
    report: tuple[dict[str, list[str]], ModelLender, Path],
) -> None:
    said, place, _ = report
    assert said["success"]
    assert [v.trainer for v in place.registry.versions("customer_ranking")] == ["scientist"]
    left = {child.name for child in place.home.iterdir()}
    assert left == {"development", "registry"}


def test_training_touches_only_what_is_developments(
    report: tuple[dict[str, list[str]], ModelLender, Path],
) -> None:
    said, place, scratch = report
    code = {sys.prefix, sys.base_prefix, *sysconfig.get_paths().values(), str(PROJECT)}
    looked_into = {path for path in said["import_roots"] if path not in code}
    own = {str(place.home / "development"), str(place.registry.directory), str(scratch)}
    allowed = [Path(root) for root in (*MACHINE, *code, *own)]
    strange = [
        path
        for path in said["touched"]
        if path not in looked_into and not any(Path(path).is_relative_to(root) for root in allowed)
    ]
    assert not strange
    assert said["touched"], "the hook saw nothing at all"
    for root in own - {str(scratch)}:
        assert any(path.startswith(root) for path in said["touched"]), f"{root} was not seen"
    # A home that happens to lie in the checkout is code's neighbour, not code.
    assert not [path for path in said["touched"] if ".paymentor" in Path(path).parts]


def test_training_talks_to_nobody(
    report: tuple[dict[str, list[str]], ModelLender, Path],
) -> None:
    assert report[0]["addresses"] == []
