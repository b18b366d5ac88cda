"""The model families on public data, one fold a set; `protocol` judges all folds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.real_data import model_sets, protocol
from tests.real_data.protocol import CASES, Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_shipped_fit_on_one_fold(case: Case) -> None:
    model_sets.folder()
    result = case.run(1)
    assert not protocol.failures(case, result, slack=case.fold_slack)


def test_a_gap_of_selection_rates_comes_with_its_interval() -> None:
    chance = np.random.default_rng(0)
    group = chance.random(4000) < 0.4
    selected: Any = chance.random(4000) < np.where(group, 0.1, 0.3)
    gap, low, high = protocol.selection_rate_gap(selected, group)
    assert low < gap < high
    assert low < 0.2 < high


def test_the_report_says_what_was_missed() -> None:
    case = Case("a set", "offer_propensity", lambda folds: protocol.Result(), {"auc": 0.7})
    good, bad = protocol.Result(), protocol.Result()
    for result, area in ((good, 0.71), (bad, 0.69)):
        result.measures["auc"] = [area]
        result.cpu_seconds.append(1.0)
    assert not protocol.failures(case, good)
    assert protocol.failures(case, bad) == ["auc 0.6900 < 0.7"]
    assert "| ≥ 0.7 | no |" in protocol.render([(case, bad)])
    assert "| ≥ 0.7 | yes |" in protocol.render([(case, good)])
