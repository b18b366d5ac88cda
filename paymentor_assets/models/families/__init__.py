"""Model families, one module each: what it learns, from what, and its public face.

`get(name)` returns the family's module; its `fit` returns the fitted model:

    fitted = families.get("offer_propensity").fit(X, y, treatment=None, time=None, seed=0)
    fitted.predict(X); fitted.explain(X, top=4)
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from resources.errors import LeakageError, NotFound

__all__ = ["NAMES", "LeakageError", "get"]

NAMES = (
    "channel_preference",
    "customer_ranking",
    "customer_segmentation",
    "income_imputation",
    "offer_propensity",
    "user_affinity",
)


def get(name: str) -> Any:
    """The module of a family, whose `fit` learns it.

    Raises NotFound for a name that is no family.
    """
    if name not in NAMES:
        raise NotFound(f"There is no model family {name!r}; there are {', '.join(NAMES)}.")
    return import_module(f"{__name__}.{name}")
