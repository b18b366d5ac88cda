"""What a family is to the platform: its features, its targets, and what its card must say.

What does not belong here: how it learns (the family's `fit`), and the SQL that makes its rows
(training_rows).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

from paymentor_assets.models.feature_spec import Feature
from resources.lakehouse import TableContract, column

Kind = Literal["probability", "amount", "log_amount"]
#: The extract's column of `FamilySpec.protected`.
PROTECTED = "protected_group"


@dataclass(frozen=True)
class Target:
    """One thing to predict: a column of the extract, known `horizon_days` after the as-of day."""

    name: str
    description: str
    horizon_days: int
    #: A yes or no, an amount, or an amount whose relative error counts.
    kind: Kind = "probability"
    #: Further arguments of the family's `fit`.
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_probability(self) -> bool:
        """Whether the label is yes or no."""
        return self.kind == "probability"


@dataclass(frozen=True)
class FamilySpec:
    """One family as the platform trains it."""

    family: str
    #: What the predictions are for, and what they are not for.
    purpose: str
    features: tuple[Feature, ...]
    #: Columns the family could read and does not, and why.
    excluded: Mapping[str, str]
    limits: tuple[str, ...]
    #: Purpose code under which account-aggregator data is seen; None is a family that sees none.
    aa_purpose: str | None
    #: What is learned from outcomes; empty for families that need none.
    targets: tuple[Target, ...] = ()
    #: The target whose contributions are shown as reasons.
    explained_target: str | None = None
    #: Further columns of the extract.
    extras: tuple[pa.Field, ...] = ()
    #: Columns of the extract that `fit` takes beside the features.
    weight: str | None = None
    treatment: str | None = None
    #: Rows that are also judged on their own: those whose column `is_<judged_apart>` is true.
    judged_apart: str | None = None
    #: SQL over `p` (features.customer_profile): the borrower's protected group, as text. Fairness
    #: is judged by it; it is in the extract and never a feature.
    protected: str | None = None
    #: Whether a borrower's outcome is the same week after week: then one row a borrower serves, and
    #: the model is judged on borrowers it has not seen.
    is_steady: bool = False
    #: Whether predictions enter decisions on credit.
    decides_credit: bool = False

    @property
    def phrases(self) -> dict[str, str]:
        """What reason codes call each feature."""
        return {feature.name: feature.phrase for feature in self.features}

    @property
    def _protected_columns(self) -> tuple[pa.Field, ...]:
        if self.protected is None:
            return ()
        return (column(PROTECTED, pa.string(), "Protected group, to judge fairness by."),)

    @property
    def rows(self) -> TableContract:
        """The table of the family's extract in model development's lakehouse."""
        return TableContract(
            name=f"training.{self.family}",
            description=f"De-identified rows to learn {self.family.replace('_', ' ')} from.",
            key=("lender_id", "row_id", "as_of_date"),
            schema=pa.schema(
                [
                    column("row_id", pa.string(), "The row, hashed with the extract's salt."),
                    column("subject_id", pa.string(), "Borrower, hashed with the extract's salt."),
                    column("lender_id", pa.string(), "Lender."),
                    column("as_of_date", pa.date32(), "Day whose knowledge the features are."),
                    column("known_through", pa.date32(), "Last day whose knowledge outcomes are."),
                    *self.extras,
                    *self._protected_columns,
                    *(
                        column(
                            feature.name,
                            pa.float64() if feature.kind == "number" else pa.string(),
                            feature.phrase.capitalize() + ".",
                        )
                        for feature in self.features
                    ),
                    *(
                        column(
                            target.name,
                            pa.bool_() if target.is_probability else pa.float64(),
                            target.description,
                        )
                        for target in self.targets
                    ),
                ]
            ),
            partition_by=("lender_id",),
        )
