"""What a family is to the platform: its features, its targets, and what its card must say.

What does not belong here: how it learns (the family's `fit`), and where its rows come from
(training_extract).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from paymentor_assets.models.feature_spec import Feature


@dataclass(frozen=True)
class Target:
    """One thing to predict: a column of the extract, known `horizon_days` after the as-of day."""

    name: str
    horizon_days: int
    #: A probability of a yes-or-no label, or an amount.
    is_probability: bool = True
    #: Further arguments of the family's `fit`.
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FamilySpec:
    """One family that learns from outcomes."""

    family: str
    #: What the predictions are for, and what they are not for.
    purpose: str
    features: tuple[Feature, ...]
    targets: tuple[Target, ...]
    #: The target whose contributions are shown as reasons.
    explained_target: str
    #: Columns the family could read and does not, and why.
    excluded: Mapping[str, str]
    limits: tuple[str, ...]
    #: Rows that are also judged on their own: those whose column `is_<judged_apart>` is true.
    judged_apart: str | None = None

    @property
    def phrases(self) -> dict[str, str]:
        """What reason codes call each feature."""
        return {feature.name: feature.phrase for feature in self.features}
