"""The model families on public data, one fold a set; `protocol` judges all folds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.real_data import judging, model_sets, protocol
from tests.real_data.judging import Case, Result

#: The other one builds its features first (`test_berka_loans.py`).
CASES = [case for case in protocol.CASES if case is not protocol.BERKA]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_shipped_fit_on_one_fold(case: Case) -> None:
    model_sets.folder()
    result = case.run(1)
    assert not judging.failures(case, result, slack=case.fold_slack)


def test_a_gap_of_selection_rates_comes_with_its_interval() -> None:
    chance = np.random.default_rng(0)
    group = chance.random(4000) < 0.4
    selected: Any = chance.random(4000) < np.where(group, 0.1, 0.3)
    gap, low, high = judging.selection_rate_gap(selected, group)
    assert low < gap < high
    assert low < 0.2 < high


def test_the_report_says_what_was_missed() -> None:
    case = Case("a set", "offer_propensity", lambda folds: Result(), {"auc": 0.7})
    good, bad = Result(), Result()
    for result, area in ((good, 0.71), (bad, 0.69)):
        result.measures["auc"] = [area]
        result.cpu_seconds.append(1.0)
    assert not judging.failures(case, good)
    assert judging.failures(case, bad) == ["auc 0.6900 < 0.7"]
    assert "| ≥ 0.7 | no |" in protocol.render(protocol.rows(case, bad))
    assert "| ≥ 0.7 | yes |" in protocol.render(protocol.rows(case, good))


def test_a_set_that_is_not_run_again_keeps_its_lines() -> None:
    result = Result({"auc": [0.71]}, notes=["a note"], cpu_seconds=[1.0])
    case, longer = (
        Case(name, "offer_propensity", lambda folds: result, {"auc": 0.7})
        for name in ("a set", "a set, its delinquents")
    )
    lines = [*protocol.rows(case, result), *protocol.rows(longer, result)]
    report = protocol.render(lines)
    assert [*protocol.written(case, report), *protocol.written(longer, report)] == lines
    assert len(protocol.written(case, report)) == 2
