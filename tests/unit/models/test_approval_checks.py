"""The checks before an approval, on arrays whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from paymentor_assets.models import approval_checks as checks
from paymentor_assets.models import fairness, monitoring
from paymentor_assets.models.learning.columns import Floats
from paymentor_assets.models.predictions import Part, Predictions

ROWS = 2_000


def _part(said: Floats, days: int = 1) -> Part:
    """What is said of one borrower a row, `days` times, over eight weeks."""
    borrower = np.tile(np.arange(len(said)), days)
    day = np.datetime64("2026-06-01") + 7 * (np.arange(len(borrower)) % 8)
    return Part(borrower, day, said[borrower])


def _predictions(
    skill: float,
    *,
    seed: int = 1,
    gap: float = 0.0,
    shift: float = 0.0,
    rows: int = ROWS,
    days: int = 1,
) -> Predictions:
    """Yes-or-no outcomes and scores that see `skill` of what decides them; two groups.

    With `days`, every borrower comes again as often, with the same score and outcome.
    """
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=rows)
    group = rng.random(rows) < 0.5
    score = skill * truth + rng.normal(size=rows) + gap * group
    borrower = np.tile(np.arange(rows), days)
    shifted = score[rng.permutation(rows)] + shift
    return Predictions(
        kind="probability",
        test=_part(1 / (1 + np.exp(-score)), days),
        actual=(truth + rng.normal(size=rows) > 0).astype(float)[borrower],
        train=_part(1 / (1 + np.exp(-shifted)), days),
        protected=np.where(group, "a", "b").astype(object)[borrower],
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
    finding = checks.against_champion({"share": _amounts(2.0)}, {"share": _amounts(0.2)})
    assert finding.status == "failed" and "R²" in finding.figure


def _amounts(error: float, rows: int = ROWS) -> Predictions:
    rng = np.random.default_rng(0)
    actual = rng.normal(size=rows)
    said = actual + error * rng.normal(size=rows)
    return Predictions("amount", _part(said), actual, _part(said))


def test_weeks_of_the_same_borrowers_are_no_more_evidence_than_one() -> None:
    few, worse = _predictions(1.0, rows=150), _predictions(0.6, rows=150, seed=2)
    again = _predictions(1.0, rows=150, days=20), _predictions(0.6, rows=150, seed=2, days=20)
    once = checks.against_champion({"paid_30d": worse}, {"paid_30d": few})
    often = checks.against_champion({"paid_30d": again[1]}, {"paid_30d": again[0]})
    assert (once.status, once.figure) == (often.status, often.figure) == ("passed", once.figure)


def _off_by(gap: float, borrowers: int, days: int = 1) -> Predictions:
    """Probabilities of which the outcomes are `gap` more often yes."""
    rng = np.random.default_rng(3)
    said = rng.uniform(0.15, 0.85, borrowers)
    ids = np.tile(np.arange(borrowers), days)
    actual = (rng.random(borrowers) < said + gap).astype(float)
    return Predictions("probability", _part(said, days), actual[ids], _part(said, days))


@pytest.mark.parametrize(
    ("gap", "borrowers", "days", "status"),
    [
        (0.0, 2_000, 1, "passed"),
        (0.1, 2_000, 1, "failed"),
        (0.1, 100, 1, "passed"),
        (0.1, 100, 20, "passed"),
        (-0.1, 20_000, 1, "failed"),
        (0.1, 49, 1, "not measured"),
    ],
)
def test_calibration_fails_beyond_chance_only(
    gap: float, borrowers: int, days: int, status: str
) -> None:
    found = checks.calibrated({"paid_30d": _off_by(gap, borrowers, days)})
    assert found.status == status, found.figure


@pytest.mark.parametrize(("shift", "status"), [(0.0, "passed"), (2.0, "failed")])
def test_scores_that_moved_are_not_stable(shift: float, status: str) -> None:
    finding = checks.stable({"paid_30d": _predictions(1.0, shift=shift)})
    assert finding.status == status and "PSI" in finding.figure


def test_the_noise_of_a_small_sample_is_not_drift() -> None:
    still, moved = (
        [checks.stable({"p": _drawn_apart(seed, shift)}) for seed in range(20)]
        for shift in (0.0, 3.0)
    )
    assert {finding.status for finding in still} == {"passed"}
    assert {finding.status for finding in moved} == {"failed"}
    assert max(float(finding.figure.split()[2]) for finding in still) > monitoring.ALARM


def test_the_calendar_is_not_drift() -> None:
    # Scores rise towards the month's end; the later days are as unlike the rest as one week was.
    rng = np.random.default_rng(0)
    weeks = np.repeat(np.arange(12), 300)
    month_end = (weeks % 4 == 3) * 2.0
    days = np.datetime64("2026-01-06") + 7 * weeks
    train = Part(np.tile(np.arange(300), 12), days, rng.normal(month_end))
    statuses = []
    for moved in (0.0, 2.0):
        said = rng.normal(2.0 + moved, size=300)
        test = Part(np.arange(300), np.full(300, np.datetime64("2026-03-31")), said)
        found = Predictions("amount", test, said, train)
        assert monitoring.score_psi(train.predicted, said) > 2 * monitoring.ALARM
        statuses.append(checks.stable({"p": found}).status)
    assert statuses == ["passed", "failed"]


def _of_few_days() -> Predictions:
    """Learned from seven weeks: what a month's calendar does is not known."""
    found = _predictions(1.0, shift=2.0)
    is_early = found.train.day < found.train.day.max()
    train = Part(
        found.train.borrower[is_early], found.train.day[is_early], found.train.predicted[is_early]
    )
    return replace(found, train=train)


def _drawn_apart(seed: int, shift: float) -> Predictions:
    """Scores of 60 borrowers then, and of 60 others now."""
    then = _predictions(1.0, rows=60, seed=seed)
    now = _predictions(1.0, rows=60, seed=seed + 1_000, shift=shift)
    return replace(then, train=now.train)


@pytest.mark.parametrize(("share", "status"), [(0.34, "passed"), (0.9, "failed")])
def test_segments_are_stable_by_their_shares(share: float, status: str) -> None:
    then, now = np.repeat([0.0, 1.0], ROWS // 2), (np.arange(ROWS) < share * ROWS).astype(float)
    found = Predictions("segment", _part(now), np.full(ROWS, np.nan), _part(then))
    assert checks.stable({"segment": found}).status == status
    for finding in (
        checks.calibrated({"segment": found}),
        fairness.fair({"segment": found}),
        checks.against_champion({"segment": found}, {"segment": found}),
    ):
        assert finding.status == "not measured"


@pytest.mark.parametrize(("gap", "status"), [(0.0, "passed"), (2.0, "failed")])
def test_a_group_that_is_hardly_selected_fails(gap: float, status: str) -> None:
    finding = fairness.fair({"paid_30d": _predictions(1.0, gap=gap)})
    assert finding.status == status and "selection-rate gap" in finding.figure


def test_equal_groups_of_a_small_lender_do_not_fail_by_chance() -> None:
    rng = np.random.default_rng(8)
    statuses = []
    for seed in range(200):
        found = _predictions(1.0, rows=300, seed=seed)
        groups = rng.choice(["18 to 29", "30 to 44", "45 to 61", "62 and over"], 300)
        statuses.append(
            fairness.fair({"p": replace(found, protected=groups.astype(object))}).status
        )
    # At 2.5 % each over all pairs at once: 5 of 200 are expected at most.
    assert statuses.count("failed") <= 5 and statuses.count("not measured") == 0


def test_who_is_of_no_known_group_counts_in_none() -> None:
    found = _predictions(1.0)
    assert found.protected is not None
    unknown = np.where(found.protected == "a", "a", None)
    assert fairness.fair({"p": replace(found, protected=unknown)}).status == "not measured"


def test_an_income_is_fair_when_no_group_is_held_for_poorer() -> None:
    rng = np.random.default_rng(0)
    is_old = rng.random(ROWS) < 0.5
    income = np.exp(rng.normal(10 + is_old, 0.5))
    statuses = []
    for held_for_poorer in (0.0, 0.4):
        said = income * np.exp(rng.normal(0, 0.3, ROWS) - held_for_poorer * is_old)
        groups = np.where(is_old, "old", "young").astype(object)
        found = Predictions("log_amount", _part(said), income, _part(said), groups)
        statuses.append(fairness.fair({"monthly_income": found}).status)
    assert statuses == ["passed", "failed"]


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
        fairness.fair({}),
        checks.against_champion(*[{"p": _predictions(1.0, rows=49)}] * 2),
        checks.stable({"p": _predictions(1.0, rows=49, days=10)}),
        checks.stable({"p": _of_few_days()}),
        fairness.fair({"p": _predictions(1.0, rows=60, days=10)}),
        checks.without_leaks({"targets": {"paid_30d": {}}}),
        checks.without_leaks({}),
        checks.quick(None),
    ]
    assert {finding.status for finding in findings} == {"not measured"}
