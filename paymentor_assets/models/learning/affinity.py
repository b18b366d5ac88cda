"""What a customer's past events say of each product: co-visitation, popularity, behaviour.

Co-visitation of two products is the cosine of the customers who touched them. Everything is sparse
or dense matrices of customers by products; a customer that was never seen before needs only events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from paymentor_assets.models.learning.columns import Floats
from resources.errors import ContractError

Ints = npt.NDArray[np.int64]

COLUMNS = ("customer_id", "product", "occurred_at")
FEATURES = (
    "popularity",
    "recent_popularity",
    "co_visitation",
    "co_visitation_strongest",
    "co_visitation_of_the_last",
    "followed_the_last",
    "products_seen",
    "events",
)
#: Share of events, newest first, that count as recent.
RECENT = 0.25


@dataclass(frozen=True)
class Catalogue:
    """The products and how they go together; matrices of shape (products, products)."""

    products: tuple[str, ...]
    popularity: Floats
    recent_popularity: Floats
    co_visitation: Floats
    #: Share of the customers of one product (row) whose next new product was the other (column).
    followed_by: Floats


@dataclass(frozen=True)
class History:
    """Events in order of customer and time, products as codes (-1: not in the catalogue)."""

    customers: npt.NDArray[Any]
    #: Position in `customers`, product code, and order in time of each event.
    customer: Ints
    product: Ints
    moment: Ints


def read(family: str, events: object, products: tuple[str, ...] | None = None) -> History:
    """Check and sort events; product codes follow `products`, or all products seen, sorted.

    Raises ContractError for a missing column, missing values, or times of another type.
    """
    if not isinstance(events, pd.DataFrame):
        raise ContractError(f"{family}: events are a {type(events).__name__}; give a DataFrame.")
    absent = [name for name in COLUMNS if name not in events.columns]
    if absent:
        raise ContractError(f"{family}: events have no column {', '.join(map(repr, absent))}.")
    for name in COLUMNS:
        if events[name].isna().any():
            raise ContractError(
                f"{family}: column {name!r} is missing in {int(events[name].isna().sum())} events."
            )
    try:
        moment = pd.to_datetime(events["occurred_at"], utc=True)
    except (ValueError, TypeError) as error:
        raise ContractError(
            f"{family}: column 'occurred_at' holds no instants ({error})."
        ) from error
    order = np.argsort(moment.to_numpy(), kind="stable")
    name_of = events["product"].astype(str).to_numpy()[order]
    known = tuple(sorted(set(name_of))) if products is None else products
    code = pd.Series(name_of).map({name: i for i, name in enumerate(known)}).fillna(-1)
    customer, customers = pd.factorize(events["customer_id"].to_numpy()[order], sort=True)
    by_customer = np.argsort(customer, kind="stable")
    return History(
        np.asarray(customers),
        customer[by_customer].astype(np.int64),
        code.to_numpy(dtype=np.int64)[by_customer],
        by_customer.astype(np.int64),
    )


def firsts(history: History) -> History:
    """Only each customer's first event with each known product, in order of time."""
    known = np.flatnonzero(history.product >= 0)
    pair = pd.DataFrame({"c": history.customer[known], "p": history.product[known]})
    rows = known[~pair.duplicated().to_numpy()]
    return take(history, rows)


def take(history: History, rows: npt.NDArray[Any]) -> History:
    """Some of the events, customers numbered as before."""
    return History(
        history.customers, history.customer[rows], history.product[rows], history.moment[rows]
    )


def catalogue(history: History, products: tuple[str, ...]) -> Catalogue:
    """Learn popularity, co-visitation and succession from events."""
    count = len(products)
    first = firsts(history)
    touched = _touched(first, count)
    together = np.asarray((touched.T @ touched).todense(), dtype=np.float64)
    alone = np.sqrt(np.maximum(together.diagonal(), 1.0))
    cosine = together / np.outer(alone, alone)
    np.fill_diagonal(cosine, 0.0)
    follows = np.zeros((count, count))
    same = first.customer[1:] == first.customer[:-1]
    np.add.at(follows, (first.product[:-1][same], first.product[1:][same]), 1.0)
    known = history.product >= 0
    recent = known & (history.moment >= (1 - RECENT) * (history.moment.max() + 1))
    return Catalogue(
        products,
        np.log1p(np.bincount(first.product, minlength=count)),
        np.log1p(np.bincount(history.product[recent], minlength=count)),
        cosine,
        follows / np.maximum(together.diagonal(), 1.0)[:, None],
    )


def features(known: Catalogue, history: History, customers: int) -> Floats:
    """Features of every customer and product: float64, (customers, products, len(FEATURES))."""
    count = len(known.products)
    first = firsts(history)
    touched = _touched(first, count, customers)
    last = np.full(customers, -1, dtype=np.int64)
    last[first.customer] = first.product
    strongest = np.zeros((customers, count))
    np.maximum.at(strongest, first.customer, known.co_visitation[first.product])
    # A customer without a known product has no last one; the appended row of zeros stands for it.
    nothing = np.zeros((1, count))
    seen = np.bincount(first.customer, minlength=customers).astype(np.float64)
    events = np.bincount(history.customer, minlength=customers).astype(np.float64)
    shape = (customers, count)
    return np.stack(
        [
            np.broadcast_to(known.popularity, shape),
            np.broadcast_to(known.recent_popularity, shape),
            touched @ known.co_visitation,
            strongest,
            np.vstack([known.co_visitation, nothing])[last],
            np.vstack([known.followed_by, nothing])[last],
            np.broadcast_to(seen[:, None], shape),
            np.broadcast_to(np.log1p(events)[:, None], shape),
        ],
        axis=2,
    )


def seen(history: History, customers: int, products: int) -> npt.NDArray[np.bool_]:
    """Which products each customer has touched: (customers, products)."""
    touched = np.zeros((customers, products), dtype=np.bool_)
    known = history.product >= 0
    touched[history.customer[known], history.product[known]] = True
    return touched


def _touched(first: History, products: int, customers: int | None = None) -> Any:
    from scipy.sparse import csr_matrix

    rows = len(first.customers) if customers is None else customers
    return csr_matrix(
        (np.ones(len(first.product)), (first.customer, first.product)), shape=(rows, products)
    )
