"""Conformal intervals: as wide as the errors were on rows the model had not seen.

Split conformal prediction (Vovk, Gammerman & Shafer 2005; Lei et al. 2018) on the residuals of the
held-out folds, by groups of the prediction (Mondrian), because large incomes are known less well
than small ones. On the margin's scale, so that an interval of incomes is never negative.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paymentor_assets.models.learning.columns import Floats
from resources.errors import ContractError

GROUPS = 5
#: Residuals a group should hold: fewer groups rather than smaller ones.
MIN_GROUP = 200


@dataclass(frozen=True)
class Conformal:
    """Upper edges of the groups on the margin's scale, and each group's residuals, sorted."""

    edges: Floats
    residuals: tuple[Floats, ...]

    def around(self, family: str, margin: Floats, coverage: float) -> tuple[Floats, Floats]:
        """Lower and upper margin, each of shape (rows,), that hold `coverage` of outcomes.

        Raises ContractError for a coverage outside (0, 1) or more than the residuals can tell.
        """
        fewest = min(len(group) for group in self.residuals)
        if not 0 < coverage <= (fewest - 1) / (fewest + 1):
            raise ContractError(
                f"{family}: coverage {coverage} cannot be promised; give one above 0 and at most "
                f"{(fewest - 1) / (fewest + 1):.3f}, which {fewest} residuals a group can tell."
            )
        low = np.array([_at(group, (1 - coverage) / 2, is_upper=False) for group in self.residuals])
        high = np.array([_at(group, (1 + coverage) / 2, is_upper=True) for group in self.residuals])
        group = np.searchsorted(self.edges, margin)
        return margin + low[group], margin + high[group]


def learn(margin: Floats, target: Floats) -> Conformal:
    """From held-out margins and what they should have been, both of shape (rows,)."""
    count = int(np.clip(len(margin) // MIN_GROUP, 1, GROUPS))
    edges = np.quantile(margin, np.linspace(0, 1, count + 1)[1:-1])
    group = np.searchsorted(edges, margin)
    residual = target - margin
    return Conformal(edges, tuple(np.sort(residual[group == number]) for number in range(count)))


def _at(residuals: Floats, share: float, *, is_upper: bool) -> float:
    # The finite-sample rank: n residuals divide the line into n + 1 equally likely parts.
    position = (len(residuals) + 1) * share
    rank = int(np.ceil(position - 1e-9)) if is_upper else int(np.floor(position + 1e-9))
    return float(residuals[int(np.clip(rank, 1, len(residuals))) - 1])
