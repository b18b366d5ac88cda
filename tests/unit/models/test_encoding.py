"""Encoding: categories by a stored vocabulary, unknown as NaN, nonsense refused."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from paymentor_assets.models.encoding import learn
from paymentor_assets.models.feature_spec import Feature
from resources.errors import ContractError

FEATURES = (
    Feature("dpd", "number", "a.dpd", "days past due"),
    Feature("product", "category", "a.product", "the product"),
    Feature("rate", "number", "a.rate", "the rate"),
)
FRAME = pa.table(
    {
        "dpd": pa.array([1.0, None, 3.0]),
        "product": pa.array(["gold", "auto", None]),
        "rate": pa.array([0.1, 0.2, 0.3]),
    }
)


def test_columns_are_features_with_one_a_known_value() -> None:
    encoder = learn(FEATURES, FRAME)
    assert encoder.encoded_names == ["dpd", "product=auto", "product=gold", "rate"]
    assert encoder.owners.tolist() == [0, 1, 1, 2]
    np.testing.assert_array_equal(
        encoder.matrix(FRAME),
        np.array([[1, 0, 1, 0.1], [np.nan, 1, 0, 0.2], [3, np.nan, np.nan, 0.3]], np.float32),
    )


def test_a_value_never_seen_is_missing() -> None:
    encoder = learn(FEATURES, FRAME)
    other = FRAME.set_column(1, "product", pa.array(["boat", "gold", "auto"]))
    assert np.isnan(encoder.matrix(other)[0, 1:3]).all()


def test_an_absent_feature_is_named() -> None:
    with pytest.raises(ContractError, match="no feature 'rate'"):
        learn(FEATURES, FRAME).matrix(FRAME.drop_columns(["rate"]))


@pytest.mark.parametrize(
    ("position", "name", "values", "message"),
    [
        (0, "dpd", pa.array(["1", "2", "3"]), "'dpd' is string"),
        (1, "product", pa.array([1, 2, 3]), "'product' is int64"),
        (2, "rate", pa.array([0.1, float("inf"), 0.2]), "'rate' holds 1 infinite"),
    ],
)
def test_another_type_or_an_infinite_value_is_refused(
    position: int, name: str, values: pa.Array, message: str
) -> None:
    encoder = learn(FEATURES, FRAME)
    with pytest.raises(ContractError, match=message):
        encoder.matrix(FRAME.set_column(position, name, values))


def test_an_identifier_in_disguise_is_refused() -> None:
    many = pa.table({"product": [f"p{i}" for i in range(60)]})
    with pytest.raises(ContractError, match="identifier"):
        learn(FEATURES[1:2], many)
