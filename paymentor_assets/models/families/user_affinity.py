"""User affinity: which product a customer is drawn to next, from clickstream and enquiries.

`fit(events)` ranks products for customers; a customer that training never saw is scored from the
events given to `score`. `fit(X, y)` learns from sessions instead: whether one led to a purchase.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any, Unpack

import numpy as np
import pandas as pd
import pyarrow as pa

from paymentor_assets.models.family_spec import FamilySpec
from paymentor_assets.models.learning import affinity, choice, ranking, supervised
from paymentor_assets.models.learning.affinity import Catalogue
from paymentor_assets.models.learning.columns import Floats
from paymentor_assets.models.learning.options import Options, with_post_outcome
from paymentor_assets.models.learning.supervised import FittedModel
from resources.errors import ContractError
from resources.lakehouse import TIMESTAMP, column

FAMILY = "user_affinity"
MODEL_FILE = "model.json"
RANKER_FILE = "ranker.txt"
MIN_EXAMPLES = 50
#: More products than this make matrices that do not fit; group them first.
MAX_PRODUCTS = 2_000
#: Cells of customers by products that are worked on at a time.
BATCH_CELLS = 2_000_000
DECIMALS = 9

#: What a session's record holds only once it has ended in a purchase or not.
POST_OUTCOME = frozenset({"order_id", "order_value", "purchased_at", "purchased_at_utc"})

SPEC = FamilySpec(
    family=FAMILY,
    purpose=(
        "Ranks the products a customer has not yet touched by how near they are to what the "
        "customer looked at. It orders offers; whether one may be made is decided elsewhere."
    ),
    features=(),
    excluded={
        "everything about the person": "what was looked at, and when, is enough to rank products"
    },
    limits=(
        "Learned from visits to the lender's own pages; a product nobody looked at has no rank.",
    ),
    aa_purpose=None,
    extras=(
        column("product", pa.string(), "Product that was looked at."),
        column("occurred_at", TIMESTAMP, "Instant of the event, UTC."),
    ),
)


@dataclass(frozen=True)
class Affinity:
    """A catalogue and the way to rank it: a ranker, or one feature that ranks as well."""

    catalogue: Catalogue
    method: str
    ranker: bytes | None
    card: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def _booster(self) -> Any:
        import lightgbm

        return lightgbm.Booster(model_str=(self.ranker or b"").decode())

    def score(self, events: pd.DataFrame) -> pd.DataFrame:
        """`customer_id`, `product`, `score`: every product each customer has not yet touched.

        Larger is closer; comparable within a customer. Products that training did not know are not
        scored. Raises ContractError for events that cannot be read.
        """
        history = affinity.read(FAMILY, events, self.catalogue.products)
        products = np.array(self.catalogue.products, dtype=object)
        size = max(1, BATCH_CELLS // len(products))
        found = []
        for start in range(0, len(history.customers), size):
            ids = history.customers[start : start + size]
            mine = (history.customer >= start) & (history.customer < start + size)
            batch = affinity.take(history, mine)
            batch = affinity.History(ids, batch.customer - start, batch.product, batch.moment)
            unseen = ~affinity.seen(batch, len(ids), len(products))
            who, what = np.nonzero(unseen)
            rows = affinity.features(self.catalogue, batch, len(ids))[who, what]
            found.append(
                pd.DataFrame(
                    {"customer_id": ids[who], "product": products[what], "score": self._rate(rows)}
                )
            )
        if not found:
            return pd.DataFrame({"customer_id": [], "product": [], "score": np.zeros(0)})
        return pd.concat(found, ignore_index=True)

    def _rate(self, rows: Floats) -> Floats:
        if self.ranker is None:
            return ranking.single(rows, self.method)
        if len(rows) == 0:
            return np.zeros(0)
        return np.asarray(self._booster.predict(rows, num_threads=1), dtype=np.float64)

    def files(self) -> dict[str, bytes]:
        """The model as JSON and the ranker's text."""
        known = self.catalogue
        described = {
            "family": FAMILY,
            "method": self.method,
            "products": list(known.products),
            "popularity": known.popularity.tolist(),
            "recent_popularity": known.recent_popularity.tolist(),
            "co_visitation": known.co_visitation.tolist(),
            "followed_by": known.followed_by.tolist(),
            "card": dict(self.card),
        }
        files = {MODEL_FILE: (json.dumps(described) + "\n").encode()}
        return files if self.ranker is None else {**files, RANKER_FILE: self.ranker}

    def digest(self) -> str:
        """SHA-256 over the parameters and the scores of customers with one product each."""
        hashed = sha256()
        for name, content in sorted(self.files().items()):
            hashed.update(name.encode() + b"\0" + sha256(content).digest())
        probe = pd.DataFrame(
            {
                "customer_id": np.arange(len(self.catalogue.products)),
                "product": self.catalogue.products,
                "occurred_at": pd.Timestamp("2000-01-01"),
            }
        )
        hashed.update(self.score(probe)["score"].to_numpy().round(DECIMALS).tobytes())
        return hashed.hexdigest()


def from_files(files: Mapping[str, bytes]) -> Affinity:
    """The inverse of `Affinity.files`."""
    described = json.loads(files[MODEL_FILE])
    return Affinity(
        Catalogue(
            tuple(described["products"]),
            np.array(described["popularity"]),
            np.array(described["recent_popularity"]),
            np.array(described["co_visitation"]),
            np.array(described["followed_by"]),
        ),
        described["method"],
        files.get(RANKER_FILE),
        described["card"],
    )


def fit(
    X: pd.DataFrame,  # noqa: N803 - the field's name
    y: Any = None,
    treatment: Any = None,
    time: Any = None,
    sample_weight: Any = None,
    seed: int = 0,
    **options: Unpack[Options],
) -> Affinity | FittedModel:
    """Without `y`: X are events (`customer_id`, `product`, `occurred_at`), one row each.

    With `y`: X are sessions and y whether each led to a purchase; see `supervised.fit`.
    Raises ContractError for events that cannot be read or that hold too few new products.
    """
    if y is not None:
        return supervised.fit(
            FAMILY,
            X,
            y,
            kind="probability",
            treatment=treatment,
            time=time,
            sample_weight=sample_weight,
            seed=seed,
            **with_post_outcome(options, POST_OUTCOME),
        )
    history = affinity.read(FAMILY, X)
    products = tuple(sorted(X["product"].astype(str).unique()))
    if not 2 <= len(products) <= MAX_PRODUCTS:
        raise ContractError(
            f"{FAMILY}: events name {len(products)} products; between 2 and {MAX_PRODUCTS} can be "
            "ranked. Check column 'product', or group products."
        )
    sample = ranking.examples(history, products, seed)
    if len(sample.sizes) < MIN_EXAMPLES:
        raise ContractError(
            f"{FAMILY}: customers came to a new product {len(sample.sizes)} times; at least "
            f"{MIN_EXAMPLES} are needed. Give events of more customers or a longer time."
        )
    compared = _compare(sample, seed)
    chosen = choice.choose(compared)
    ranker = (
        ranking.train(sample, seed).model_to_string().encode()
        if chosen.name == ranking.RANKER
        else None
    )
    return Affinity(
        affinity.catalogue(history, products),
        chosen.name,
        ranker,
        {
            "events": len(X),
            "customers": len(history.customers),
            "examples": len(sample.sizes),
            "seed": seed,
            "measure": "mean reciprocal rank of the next new product",
            "candidates": choice.report(compared, chosen),
            "chosen": chosen.name,
        },
    )


def _compare(sample: ranking.Examples, seed: int) -> list[choice.Candidate]:
    """Mean reciprocal rank of each candidate on customers it has not seen, simplest first."""
    owner = np.random.default_rng([seed, 1]).permutation(int(sample.customer.max()) + 1)
    fold = (owner % ranking.FOLDS)[sample.customer]
    scores: dict[str, list[float]] = {name: [] for name in (*ranking.SINGLE, ranking.RANKER)}
    for number in range(ranking.FOLDS):
        held = ranking.part(sample, fold == number)
        if not len(held.sizes):
            continue
        booster = ranking.train(ranking.part(sample, fold != number), seed)
        rated = {name: ranking.single(held.matrix, name) for name in ranking.SINGLE}
        rated[ranking.RANKER] = np.asarray(booster.predict(held.matrix, num_threads=1))
        for name, score in rated.items():
            scores[name].append(float(ranking.reciprocal_rank(held, score).mean()))
    return [
        choice.Candidate(name, (name,), "all", tuple(values), ()) for name, values in scores.items()
    ]
