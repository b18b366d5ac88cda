"""Training: deterministic, judged on later days, honest when it cannot learn."""

from __future__ import annotations

import json
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from paymentor_assets.models import artefact, model_card
from paymentor_assets.models.families import customer_ranking as family
from paymentor_assets.models.trainers import train
from paymentor_assets.models.training import TrainingData
from resources.errors import ApprovalError, ContractError
from tests.support import trained_model


def _files(model: artefact.ModelArtefact) -> dict[str, bytes]:
    return artefact.files_of(model, model_card.render(model))


def test_the_same_rows_in_any_order_give_the_same_bytes() -> None:
    rows = trained_model.training_rows()
    shuffled = rows.take(pa.array(np.random.default_rng(0).permutation(rows.num_rows)))
    again = train(family.SPEC, TrainingData(shuffled))
    assert _files(again) == _files(trained_model.model())


def test_it_learns_and_says_how_well_beside_a_baseline() -> None:
    for target in family.SPEC.targets:
        report = trained_model.model().card["targets"][target.name]
        first_test = date.fromisoformat(report["test_days"][0])
        last_train = date.fromisoformat(report["train_days"][-1])
        assert last_train + timedelta(days=target.horizon_days) <= first_test
        assert report["test_delinquent"]["rows"] < report["test"]["rows"]
        assert report["baseline"].keys() == report["test"].keys()
    report = trained_model.model().card["targets"]["paid_30d"]
    assert report["test"]["auc"] > 0.7
    assert report["test"]["calibration_error"] < 0.15
    assert sum(row["rows"] for row in report["calibration"]) == report["test"]["rows"]


def test_probabilities_are_probabilities_and_shares_are_not_negative() -> None:
    model = trained_model.model()
    scores = model.predict(trained_model.features(trained_model.frame()))
    for name in ("paid_7d", "paid_30d"):
        assert ((scores[name] >= 0) & (scores[name] <= 1)).all()
    assert (scores["recovered_share_30d"] >= 0).all()


def test_an_artefact_read_back_predicts_the_same() -> None:
    model = trained_model.model()
    again = artefact.from_files(_files(model))
    frame = trained_model.features(trained_model.frame())
    scores = again.predict(frame)
    for name, expected in model.predict(frame).items():
        assert scores[name].tobytes() == expected.tobytes()
    assert _files(again) == _files(model)
    assert again.digest() == model.digest()


def test_the_artefact_holds_no_pickle() -> None:
    files = _files(trained_model.model())
    endings = {name.rsplit(".", 1)[-1] for name in files}
    assert {"json", "md", "MLmodel"} <= endings
    assert endings <= {"ubj", "txt", "json", "md", "MLmodel", "parquet"}
    assert not any(content.startswith(b"\x80") for content in files.values())


def test_an_unknown_format_is_refused() -> None:
    files = dict(_files(trained_model.model()))
    metadata = json.loads(files["metadata.json"])
    files["metadata.json"] = json.dumps({**metadata, "format": 99}).encode()
    with pytest.raises(ApprovalError, match="format 99"):
        artefact.from_files(files)
    del files["metadata.json"]
    with pytest.raises(ApprovalError, match=r"no metadata\.json"):
        artefact.from_files(files)


def test_the_card_says_what_was_left_out() -> None:
    card = model_card.render(trained_model.model())
    for words in (
        "birth_year", "paid_30d", "purged", "baseline, delinquent", "Candidates", "## Limits"
    ):  # fmt: skip
        assert words in card


def test_one_outcome_only_is_refused_by_name() -> None:
    rows = trained_model.training_rows()
    position = rows.schema.get_field_index("paid_7d")
    always = pc.if_else(pc.is_valid(rows.column("paid_7d")), True, rows.column("paid_7d"))
    with pytest.raises(ContractError, match=r"target paid_7d: .* one class only"):
        train(family.SPEC, TrainingData(rows.set_column(position, "paid_7d", always)))


def test_ten_rows_are_refused() -> None:
    with pytest.raises(ContractError, match="10 rows"):
        train(family.SPEC, TrainingData(trained_model.training_rows().slice(0, 10)))


def test_a_feature_known_of_nobody_does_not_matter() -> None:
    rows = trained_model.training_rows()
    position = rows.schema.get_field_index("utilisation")
    unknown = rows.set_column(position, "utilisation", pa.nulls(rows.num_rows, pa.float64()))
    model = train(family.SPEC, TrainingData(unknown))
    assert model.card["missing_share"]["utilisation"] == 1.0
    assert model.card["targets"]["paid_30d"]["left_out_unknown"] == ["utilisation"]
    assert "Known of nobody, left out: utilisation" in model_card.render(model)
