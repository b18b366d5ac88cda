"""`paymentor models` through the real command line, in this process."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from paymentor_assets import cli
from paymentor_assets.models import artefact
from paymentor_assets.models.predictions import (
    EVALUATION_FILE,
    Part,
    Predictions,
    evaluation_bytes,
)
from resources.registry import RegisteredVersion
from tests.integration.models.conftest import Register
from tests.support.model_lender import CLOCK, ModelLender

FAMILY = "customer_ranking"
BY = ("--actor", "officer", "--reason", "reads [well]")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    place: ModelLender, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run the command line; exit code, output, errors."""
    monkeypatch.setenv("PAYMENTOR_HOME", str(place.home))
    monkeypatch.setenv("PAYMENTOR_ENV", "test")

    def _run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["paymentor", "models", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return _run


def _register_with(
    place: ModelLender, files: Mapping[str, bytes], family: str = FAMILY, *, is_blind: bool = False
) -> RegisteredVersion:
    """Register the small model with stored predictions: good ones, or blind guesses."""
    rng = np.random.default_rng(5)
    truth = rng.normal(size=1500)
    said = 1 / (1 + np.exp(-(0.1 * rng.normal(size=1500) if is_blind else 2.0 * truth)))
    days = np.datetime64("2026-05-01") + 7 * (np.arange(1500) % 8)
    part = Part(np.arange(1500), days, said)
    outcome = (rng.random(1500) < 1 / (1 + np.exp(-2.0 * truth))).astype(float)
    predictions = Predictions("probability", part, outcome, part)
    own = {**files, EVALUATION_FILE: evaluation_bytes({"paid_30d": predictions})}
    return place.registry.register(
        family, own, artefact_sha256=artefact.sha256_of_files(own), trainer="scientist",
        parameters={}, metrics={"paid_30d.auc": 0.8}, tags={}, clock=CLOCK,
    )  # fmt: skip


def test_a_life_on_the_command_line(run: Run, place: ModelLender, register: Register) -> None:
    register()
    register("second")
    code, said, _ = run("approve", FAMILY, "1", *BY)
    assert code == 0 and f"{FAMILY} version 1 is approved." in said
    for check in (
        "champion: not measured", "calibration: passed", "stability: passed",
        "fairness: not measured", "latency: passed",
    ):  # fmt: skip
        assert check in said
    code, said, _ = run("approve", FAMILY, "2", *BY, "--json")
    approved = json.loads(said)
    assert (approved["version"], approved["despite"]) == (2, None)
    assert {c["check"] for c in approved["checks"]} == {
        "metrics against the champion", "calibration", "stability", "fairness", "leakage",
        "latency",
    }  # fmt: skip
    assert json.loads(run("rollback", FAMILY, *BY, "--json")[1]) == {
        "family": FAMILY, "version": 1, "state": "in force",
    }  # fmt: skip
    assert json.loads(run("reject", FAMILY, "2", *BY, "--json")[1])["state"] == "rejected"
    shown = json.loads(run("show", FAMILY, "1", "--json")[1])
    assert shown["artefact_is_intact"] and shown["is_champion"]
    assert [d["state"] for d in shown["decisions"]] == ["registered", "approved"]
    assert shown["decisions"][1]["checks"][1]["check"] == "calibration"
    code, said, _ = run("show", FAMILY, "1")
    assert "approved by officer: reads [well]" in said and "calibration: passed" in said
    compared = json.loads(run("compare", FAMILY, "1", "2", "--json")[1])
    metrics = compared["metrics"]
    assert metrics[0]["metric"] == "paid_30d.auc" and metrics[0]["difference"] == 0.06
    checks = {check["check"]: check["status"] for check in compared["checks"]}
    assert checks.pop("fairness") == "not measured"  # its age bands are too small
    assert len(checks) == 5 and set(checks.values()) == {"passed"}
    said = run("compare", FAMILY, "1", "2")[1]
    assert "+0.0600" in said and "Approving version 2 while 1 is in force would find:" in said
    assert "stability: passed" in said


def test_list_shows_every_family(run: Run, place: ModelLender, files: Mapping[str, bytes]) -> None:
    assert run("list")[0] == 3
    assert json.loads(run("list", "--json")[1]) == []
    _register_with(place, files)
    _register_with(place, files, "offer_propensity")
    everything = json.loads(run("list", "--json")[1])
    assert [(e["family"], e["version"]) for e in everything] == [
        (FAMILY, 1),
        ("offer_propensity", 1),
    ]
    one = json.loads(run("list", "offer_propensity", "--json")[1])
    assert [e["family"] for e in one] == ["offer_propensity"]
    assert "offer_propensity" in run("list")[1]


def test_a_failed_check_refuses_unless_somebody_says_why(
    run: Run, place: ModelLender, files: Mapping[str, bytes]
) -> None:
    _register_with(place, files)
    _register_with(place, files, is_blind=True)
    assert run("approve", FAMILY, "1", *BY)[0] == 0
    code, _, complaint = run("approve", FAMILY, "2", *BY)
    assert code == 1
    assert "version 2 is not approved: metrics against the champion failed" in complaint
    assert "paid_30d AUC -" in complaint and "--despite REASON" in complaint
    assert not json.loads(run("list", FAMILY, "--json")[1])[0]["is_champion"]
    assert run("approve", FAMILY, "2", *BY, "--despite", " ")[0] == 1
    code, said, _ = run("approve", FAMILY, "2", *BY, "--despite", "the old one reads a lost column")
    assert code == 0 and "because: the old one reads a lost column" in said
    decision = json.loads(run("show", FAMILY, "2", "--json")[1])["decisions"][-1]
    assert decision["despite"] == "the old one reads a lost column"
    assert decision["checks"][0]["status"] == "failed"


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (("list", "customer_rankings"), 3, "There is no model family 'customer_rankings'"),
        (("list", "income_imputation"), 3, "No version of income_imputation is registered"),
        (("show", FAMILY, "7"), 3, "no version 7 of customer_ranking; it has: 1"),
        (("show", "nonsense", "1"), 3, "There is no model family 'nonsense'"),
        (("compare", FAMILY, "1", "2"), 3, "no version 2 of customer_ranking"),
        (("approve", FAMILY, "4", *BY), 3, "no version 4 of customer_ranking"),
        (("reject", FAMILY, "4", *BY), 3, "no version 4 of customer_ranking"),
        (("rollback", FAMILY, *BY), 1, "No version of customer_ranking is approved"),
        (
            ("approve", FAMILY, "1", "--actor", "scientist", "--reason", "mine"),
            1,
            "scientist trained customer_ranking version 1",
        ),
    ],
)
def test_errors_say_what_and_where(
    run: Run, register: Register, words: tuple[str, ...], code: int, complaint: str
) -> None:
    register()
    ended, _, said = run(*words)
    assert (ended, complaint in " ".join(said.split())) == (code, True), said


def test_an_altered_artefact_names_family_and_version(
    run: Run, place: ModelLender, register: Register
) -> None:
    folder = place.registry.artefact_dir(register())
    (folder / "extra.txt").write_text("x")
    code, _, said = run("approve", FAMILY, "1", *BY)
    assert code == 1 and "artefact of customer_ranking version 1 was altered" in said
    shown: dict[str, Any] = json.loads(run("show", FAMILY, "1", "--json")[1])
    assert shown["artefact_is_intact"] is False
