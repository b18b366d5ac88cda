"""Treatments as data: which words fit which arrears, and what a contact is assumed to add."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Literal

import orjson
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from paymentor_assets.offers.policy import OfferPolicy
from resources.duck import quote
from resources.errors import ContractError

Bucket = Literal["1-30", "31-60", "61-90", "90+"]
OFFER_TREATMENT = "credit_offer"

#: Changes when candidates or allocation would decide differently on the same data.
METHOD_VERSION = "lp-1"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Treatment(_Strict):
    """One way to speak to a borrower, and the arrears it is for."""

    treatment: str
    buckets: list[Bucket] = Field(min_length=1)
    max_days_past_due: int | None = None
    min_promises_broken: int | None = None
    instalments: int | None = Field(default=None, ge=2)
    uplift: float = Field(gt=0, le=1)


class Strategy(_Strict):
    """All of `treatments.yaml`."""

    treatments: list[Treatment] = Field(min_length=1)
    offer_capacity_share: float = Field(ge=0, le=1)

    def version(self, policy: OfferPolicy) -> str:
        """16 hex characters over treatments, offer policy and method."""
        content = orjson.dumps(
            [self.model_dump(mode="json"), policy.version, METHOD_VERSION],
            option=orjson.OPT_SORT_KEYS,
        )
        return sha256(content).hexdigest()[:16]

    def entry_sql(self, account: str) -> str:
        """DuckDB expression: index of the first entry that fits the account, NULL when none."""
        cases = []
        for index, entry in enumerate(self.treatments):
            buckets = ", ".join(quote(bucket) for bucket in entry.buckets)
            fits = [f"{account}.bucket IN ({buckets})"]
            if entry.max_days_past_due is not None:
                fits.append(f"{account}.days_past_due <= {entry.max_days_past_due}")
            if entry.min_promises_broken is not None:
                fits.append(
                    f"coalesce({account}.promises_broken_180d, 0) >= {entry.min_promises_broken}"
                )
            cases.append(f"WHEN {' AND '.join(fits)} THEN {index}")
        return f"CASE {' '.join(cases)} END"


@cache
def load_strategy() -> Strategy:
    """The strategy beside this file; raises ContractError when it is malformed."""
    text = files(__package__).joinpath("treatments.yaml").read_text(encoding="utf-8")
    try:
        return Strategy.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise ContractError(f"strategies/treatments.yaml is not valid: {error}") from error
