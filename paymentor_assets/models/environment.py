"""What a model was trained with: the interpreter and the libraries whose numbers it is made of."""

from __future__ import annotations

import platform
from importlib.metadata import version

LIBRARIES = ("lightgbm", "numpy", "pandas", "scikit-learn", "xgboost-cpu")


def environment() -> str:
    """`python 3.11.7; lightgbm 4.6.0; …` of this process."""
    found = [f"{name} {version(name)}" for name in LIBRARIES]
    return "; ".join([f"python {platform.python_version()}", *found])
