"""Learning to rank a customer's next new product: examples, candidates, and the choice.

An example is a customer at the moment of a new product: everything before it is known, the product
is to be found among those not yet touched. The catalogue that makes an example's features comes
from the other half of the customers, since its own half's co-visitation holds the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from paymentor_assets.models.learning import affinity
from paymentor_assets.models.learning.affinity import FEATURES, Catalogue, History, Ints
from paymentor_assets.models.learning.columns import Floats

#: New products a customer contributes, the latest first.
POSITIONS = 4
#: Products not taken that stand beside the one taken.
OTHERS = 50
MAX_EXAMPLES = 20_000
FOLDS = 3
ROUNDS = 60
#: Features that are rankings by themselves: the simpler candidates, simplest first.
SINGLE = ("popularity", "co_visitation", "followed_the_last")
RANKER = "lightgbm_ranker"
TIE_BREAK = 1e-6

SETTINGS: dict[str, Any] = {
    "objective": "lambdarank",
    "num_leaves": 12,
    "learning_rate": 0.1,
    "min_data_in_leaf": 50,
    "lambda_l2": 10.0,
    "feature_fraction": 0.8,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbose": -1,
}


@dataclass(frozen=True)
class Examples:
    """Rows of candidates, example by example; `sizes` rows each, one of them taken."""

    matrix: Floats
    taken: npt.NDArray[np.bool_]
    sizes: Ints
    #: The customer of each example.
    customer: Ints


def examples(history: History, products: tuple[str, ...], seed: int) -> Examples:
    """All examples of a history, at most MAX_EXAMPLES, drawn with the seed."""
    chance = np.random.default_rng(seed)
    half = chance.permutation(len(history.customers)) % 2
    parts = []
    for side in (0, 1):
        others = affinity.take(history, half[history.customer] != side)
        known = affinity.catalogue(others, products)
        mine = affinity.take(history, half[history.customer] == side)
        parts += [_at_position(known, mine, k, chance) for k in range(1, POSITIONS + 1)]
    return _joined(parts)


def train(sample: Examples, seed: int) -> Any:
    """A LightGBM ranker (lambdarank, Burges 2010) on the examples."""
    import lightgbm

    settings = {**SETTINGS, "seed": seed}
    data = lightgbm.Dataset(
        sample.matrix, sample.taken.astype(np.float64), group=sample.sizes, params=settings
    )
    return lightgbm.train(settings, data, num_boost_round=ROUNDS)


def reciprocal_rank(sample: Examples, score: Floats) -> Floats:
    """1 / the place of the product that was taken, ties at their mean place; (examples,)."""
    example = np.repeat(np.arange(len(sample.sizes)), sample.sizes)
    own = score[sample.taken][example]
    above = np.bincount(example, score > own)
    level = np.bincount(example, score == own)
    rank: Floats = 1 / (above + (level + 1) / 2)
    return rank


def single(matrix: Floats, feature: str) -> Floats:
    """One feature as a ranking, shape (rows,); popularity decides where it is silent."""
    rated: Floats = (
        matrix[:, FEATURES.index(feature)] + TIE_BREAK * matrix[:, FEATURES.index("popularity")]
    )
    return rated


def part(sample: Examples, chosen: npt.NDArray[np.bool_]) -> Examples:
    """Some of the examples; `chosen` has shape (examples,)."""
    rows = np.repeat(chosen, sample.sizes)
    return Examples(
        sample.matrix[rows], sample.taken[rows], sample.sizes[chosen], sample.customer[chosen]
    )


def _at_position(
    known: Catalogue, history: History, position: int, chance: np.random.Generator
) -> Examples:
    """One example for each customer with a `position`-th last new product and one before it."""
    first = affinity.firsts(history)
    customers = len(history.customers)
    counts = np.bincount(first.customer, minlength=customers)
    end = np.cumsum(counts)
    who = np.flatnonzero(counts > position)
    limit = MAX_EXAMPLES // (2 * POSITIONS)
    if len(who) > limit:
        who = np.sort(chance.choice(who, limit, replace=False))
    target = end[who] - position
    until = np.full(customers, -1, dtype=np.int64)
    until[who] = first.moment[target]
    before = affinity.take(history, history.moment < until[history.customer])
    number = np.full(customers, -1, dtype=np.int64)
    number[who] = np.arange(len(who))
    context = History(
        history.customers[who], number[before.customer], before.product, before.moment
    )
    every = affinity.features(known, context, len(who))
    open_ = ~affinity.seen(context, len(who), len(known.products))
    taken = np.zeros_like(open_)
    taken[np.arange(len(who)), first.product[target]] = True
    if open_.shape[1] > OTHERS + 1:
        draw = np.where(open_ & ~taken, chance.random(open_.shape), 2.0)
        threshold = np.sort(draw, axis=1)[:, OTHERS - 1 : OTHERS]
        open_ = taken | (open_ & (draw <= threshold))
    return Examples(every[open_], taken[open_], open_.sum(axis=1), who)


def _joined(parts: list[Examples]) -> Examples:
    return Examples(
        np.concatenate([p.matrix for p in parts]).reshape(-1, len(FEATURES)),
        np.concatenate([p.taken for p in parts]),
        np.concatenate([p.sizes for p in parts]).astype(np.int64),
        np.concatenate([p.customer for p in parts]),
    )
