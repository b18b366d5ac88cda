"""The predictions an artefact carries: what is stored comes back, and no more than is needed."""

from __future__ import annotations

import io
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from paymentor_assets.models.predictions import (
    EVALUATION_FILE,
    MOST_ROWS,
    Part,
    Predictions,
    borrowers_of,
    evaluation_bytes,
    evenly,
    read_evaluation,
)
from resources.errors import ContractError
from tests.support import trained_model


def _part(rng: np.random.Generator, rows: int) -> Part:
    days = np.datetime64("2026-06-01") + rng.integers(0, 9, rows)
    return Part(rng.integers(0, 50, rows), days, rng.random(rows))


def _some(rows: int, seed: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    return Predictions(
        kind="probability",
        test=_part(rng, rows),
        actual=rng.integers(0, 2, rows).astype(float),
        train=_part(rng, 2 * rows),
        protected=rng.choice(np.array(["a", "b", None], dtype=object), rows),
    )


def _same(one: Any, other: Any) -> None:
    for field in fields(one):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if field.name in ("test", "train"):
            _same(mine, theirs)
        else:
            np.testing.assert_array_equal(mine, theirs, err_msg=field.name)


def test_stored_predictions_come_back() -> None:
    nobody = _part(np.random.default_rng(0), 0)
    stored = {
        "paid_30d": _some(100),
        "paid_7d": replace(_some(40, seed=1), protected=None),
        "order": replace(_some(10), kind="order", train=nobody),
        "segment": replace(_some(30), kind="segment", actual=np.full(30, np.nan)),
    }
    content = evaluation_bytes(stored)
    assert content == evaluation_bytes(stored)
    found = read_evaluation({EVALUATION_FILE: content}, "any")
    assert found.keys() == stored.keys()
    for target, expected in stored.items():
        _same(found[target], expected)
    assert read_evaluation({}, "any") == {}


def test_what_is_not_such_a_file_is_refused_by_name() -> None:
    other = io.BytesIO()
    pq.write_table(pq.read_table(io.BytesIO(evaluation_bytes({"p": _some(3)}))).drop("kind"), other)
    strange = evaluation_bytes({"p": replace(_some(3), kind="wish")})  # type: ignore[arg-type]
    for content in (b"PAR1", other.getvalue(), strange):
        with pytest.raises(ContractError, match=r"version 1: evaluation\.parquet"):
            read_evaluation({EVALUATION_FILE: content}, "customer_ranking version 1")


def test_of_many_rows_some_are_kept_and_always_the_same() -> None:
    rows = np.arange(3 * MOST_ROWS)
    kept = evenly(rows)
    assert len(kept) == len(np.unique(kept)) == MOST_ROWS
    assert (kept[0], kept[-1]) == (rows[0], rows[-1])
    np.testing.assert_array_equal(kept, evenly(rows))
    assert len(evenly(rows[:7])) == 7


def test_training_stores_what_the_card_is_about() -> None:
    model = trained_model.model()
    found = read_evaluation({EVALUATION_FILE: model.evaluation}, "any")
    assert found.keys() == model.targets.keys()
    for target, kept in found.items():
        report = model.card["targets"][target]
        assert len(kept.actual) == report["test"]["rows"]
        assert len(kept.train.predicted) == report["train_rows"]
        assert kept.test.predicted.mean() == pytest.approx(
            report["test"]["mean_prediction"], abs=1e-6
        )
        assert borrowers_of(kept.test) == 98  # of 100, two accounts are closed
        assert set(kept.protected if kept.protected is not None else ()) == {
            "under 30", "30 to 44", "45 to 61", "62 and over",
        }  # fmt: skip
