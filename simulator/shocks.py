"""Income shocks: months in which a borrower earns far less than usual.

A two-state Markov chain by calendar month, drawn from the seed alone, so that any month can be
recomputed at any time and nothing needs to be remembered.
"""

import numpy as np
import numpy.typing as npt

from simulator.people import People
from simulator.seeds import generator

_START_CHANCE = np.array([0.022, 0.040, 0.030, 0.010, 0.060])
"""Chance a month of falling into a shock, by employment type, at middling stability."""
_END_CHANCE = 0.42


class Shocks:
    """Which borrower is in a shock in which calendar month (0 = January 1970)."""

    def __init__(self, seed: int, people: People, first_month: int) -> None:
        self._seed = seed
        self._people = people
        self._first_month = first_month
        self._months: list[npt.NDArray[np.bool_]] = []

    def during(self, month: int) -> npt.NDArray[np.bool_]:
        """One flag a borrower; months before the first one have no shock."""
        if month < self._first_month:
            return np.zeros(len(self._people), dtype=bool)
        while len(self._months) <= month - self._first_month:
            self._months.append(self._next())
        return self._months[month - self._first_month]

    def _next(self) -> npt.NDArray[np.bool_]:
        people = self._people
        month = self._first_month + len(self._months)
        draw = generator(self._seed, "shocks", month).random(len(people))
        start = _START_CHANCE[people.employment] * 2 * (1.25 - people.stability)
        if not self._months:
            return draw < start / (start + _END_CHANCE)
        return np.where(self._months[-1], draw >= _END_CHANCE, draw < start)
