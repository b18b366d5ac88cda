"""The offer policy as data: types, products, prices; its version is the hash of its meaning."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Literal

import orjson
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from resources.errors import ContractError


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Standing(_Strict):
    """Who may be offered anything of a type at all; nobody late within 180 days, of any type."""

    min_months_on_book: int = Field(ge=0)
    min_bureau_score: int = Field(ge=300, le=900)
    max_enquiries_90d: int = Field(ge=0)


class Acceptance(_Strict):
    """The prior of a type's acceptance estimate."""

    prior_share: float = Field(gt=0, lt=1)
    prior_offers: int = Field(gt=0)


class OfferType(_Strict):
    """One type of offer: what it may look at, whom it is for, how far it goes.

    `aa_purpose` is the code of the purpose of consent under which it sees account-aggregator data,
    None when it sees none. `applied_within_days` is None for offers that nobody asked for.
    """

    aa_purpose: Literal["103"] | None
    # The profile looks back 180 days for an application.
    applied_within_days: int | None = Field(gt=0, le=180)
    standing: Standing
    max_obligations_to_income: dict[str, float]
    acceptance: Acceptance

    @model_validator(mode="after")
    def _sees_for_who_asked(self) -> OfferType:
        if self.aa_purpose is not None and self.applied_within_days is None:
            raise ValueError(
                "aa_purpose without applied_within_days: account-aggregator data is seen for the "
                "customer's own application only, never for an offer that nobody asked for"
            )
        return self


class OfferTypes(_Strict):
    """The two types that there are."""

    marketing: OfferType
    application: OfferType

    @model_validator(mode="after")
    def _are_what_they_are_called(self) -> OfferTypes:
        if self.marketing.applied_within_days is not None:
            raise ValueError("marketing is what nobody applied for: no applied_within_days")
        if self.application.applied_within_days is None:
            raise ValueError("application needs applied_within_days")
        return self


class Amounts(_Strict):
    """Smallest and largest amount, and the step amounts are rounded down to."""

    least: int = Field(gt=0)
    most: int = Field(gt=0)
    step: int = Field(gt=0)


class RateBand(_Strict):
    """The yearly rate from a bureau score upwards."""

    min_score: int = Field(ge=300, le=900)
    annual_rate: float = Field(gt=0, lt=1)


class Product(_Strict):
    """One product: tenor, margin, validity, amounts by currency, rates by score."""

    tenor_months: int = Field(gt=0)
    annual_margin: float = Field(gt=0)
    valid_days: int = Field(gt=0)
    amounts: dict[str, Amounts] = Field(min_length=1)
    rates: list[RateBand] = Field(min_length=1)

    @field_validator("rates")
    @classmethod
    def _best_score_first(cls, rates: list[RateBand]) -> list[RateBand]:
        scores = [band.min_score for band in rates]
        if scores != sorted(set(scores), reverse=True):
            raise ValueError("rate bands must be ordered from the highest score down, each once")
        return rates


class OfferPolicy(_Strict):
    """All of `policy.yaml`."""

    types: OfferTypes
    products: dict[str, Product] = Field(min_length=1)

    @property
    def version(self) -> str:
        """16 hex characters of the SHA-256 over the policy's meaning."""
        content = orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
        return sha256(content).hexdigest()[:16]


@cache
def load_policy() -> OfferPolicy:
    """The policy beside this file; raises ContractError when it is malformed."""
    text = files(__package__).joinpath("policy.yaml").read_text(encoding="utf-8")
    try:
        return OfferPolicy.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise ContractError(f"offers/policy.yaml is not a valid offer policy: {error}") from error
