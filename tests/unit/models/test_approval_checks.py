"""The checks before an approval, on arrays whose answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from paymentor_assets.models import approval_checks as checks
from paymentor_assets.models.approval_checks import Predictions
from resources.errors import ContractError

ROWS = 2_000


def _predictions(skill: float, *, seed: int = 1, gap: float = 0.0, shift: float = 0.0) -> Any:
    """Yes-or-no outcomes and scores that see `skill` of what decides them; two groups."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=ROWS)
    group = rng.random(ROWS) < 0.5
    score = skill * truth + rng.normal(size=ROWS) + gap * group
    return Predictions(
        actual=(truth + rng.normal(size=ROWS) > 0).astype(float),
        predicted=1 / (1 + np.exp(-score)),
        trained=1 / (1 + np.exp(-score[rng.permutation(ROWS)] - shift)),
        protected=np.where(group, "a", "b").astype(object),
    )


@pytest.mark.parametrize(
    ("new", "old", "status"),
    [(0.2, 1.5, "failed"), (1.5, 0.2, "passed"), (1.0, 1.0, "passed")],
)
def test_only_a_surely_worse_version_fails(new: float, old: float, status: str) -> None:
    finding = checks.against_champion(
        {"paid_30d": _predictions(new)}, {"paid_30d": _predictions(old, seed=2)}
    )
    assert finding.status == status
    assert finding.figure.startswith("paid_30d AUC ") and " to " in finding.figure


def test_amounts_are_compared_by_r2() -> None:
    rng = np.random.default_rng(0)
    actual = rng.normal(size=ROWS)
    good, bad = (Predictions(actual, actual + s * rng.normal(size=ROWS), actual) for s in (0.2, 2))
    finding = checks.against_champion({"share": bad}, {"share": good})
    assert finding.status == "failed" and "R²" in finding.figure


def _card(gap: float, rows: float = 200.0) -> dict[str, Any]:
    groups = [
        {"rows": rows, "predicted": p, "realised": p + gap} for p in np.linspace(0.05, 0.9, 10)
    ]
    return {"targets": {"paid_30d": {"calibration": groups}}}


@pytest.mark.parametrize(
    ("gap", "rows", "status"),
    [(0.0, 200, "passed"), (0.1, 200, "failed"), (0.1, 10, "passed"), (-0.1, 5000, "failed")],
)
def test_calibration_fails_beyond_chance_only(gap: float, rows: float, status: str) -> None:
    assert checks.calibrated(_card(gap, rows)).status == status


@pytest.mark.parametrize(("shift", "status"), [(0.0, "passed"), (2.0, "failed")])
def test_scores_that_moved_are_not_stable(shift: float, status: str) -> None:
    finding = checks.stable({"paid_30d": _predictions(1.0, shift=shift)})
    assert finding.status == status and "PSI" in finding.figure


@pytest.mark.parametrize(("gap", "status"), [(0.0, "passed"), (2.0, "failed")])
def test_a_group_that_is_hardly_selected_fails(gap: float, status: str) -> None:
    finding = checks.fair({"paid_30d": _predictions(1.0, gap=gap)})
    assert finding.status == status and "selection-rate gap" in finding.figure


def test_what_the_guard_took_out_is_said() -> None:
    card = {"targets": {"paid_30d": {"choice": {"dropped_leaks": {"duration": "tells all"}}}}}
    finding = checks.without_leaks(card)
    assert (finding.status, finding.figure) == ("passed", "left out: duration")


def test_slow_scoring_fails() -> None:
    assert checks.quick(lambda: None).status == "passed"
    slow = checks.quick(lambda: sum(range(400_000)), rows=1)
    assert slow.status == "failed" and "ms of CPU a row" in slow.figure


def test_what_is_absent_is_not_measured_and_never_passed() -> None:
    findings = [
        checks.against_champion({}, {"paid_30d": _predictions(1.0)}),
        checks.against_champion({"paid_30d": _predictions(1.0)}, {}),
        checks.calibrated({}),
        checks.stable({}),
        checks.fair({}),
        checks.without_leaks({"targets": {"paid_30d": {}}}),
        checks.without_leaks({}),
        checks.quick(None),
    ]
    assert {finding.status for finding in findings} == {"not measured"}


def test_stored_predictions_come_back() -> None:
    stored = {"paid_30d": _predictions(1.0), "paid_7d": _predictions(0.5, seed=3)}
    content = checks.evaluation_bytes(stored)
    assert content == checks.evaluation_bytes(stored)
    found = checks.read_evaluation({checks.EVALUATION_FILE: content}, "customer_ranking version 1")
    assert found.keys() == stored.keys()
    for target, expected in stored.items():
        np.testing.assert_array_equal(found[target].actual, expected.actual)
        np.testing.assert_array_equal(found[target].predicted, expected.predicted)
        np.testing.assert_array_equal(found[target].trained, expected.trained)
        assert found[target].protected is not None
        assert list(found[target].protected) == list(expected.protected)
    with pytest.raises(ContractError, match="customer_ranking version 1"):
        checks.read_evaluation({checks.EVALUATION_FILE: b"PAR1"}, "customer_ranking version 1")
    assert checks.read_evaluation({}, "any") == {}
