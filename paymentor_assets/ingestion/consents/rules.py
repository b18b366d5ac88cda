"""The fair-use rules of `fair_use.yaml`: their form, their loader, and themselves as a table."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import pyarrow as pa
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from resources.errors import ContractError

RULES_FILE = Path(__file__).with_name("fair_use.yaml")

ConsentType = Literal["PROFILE", "SUMMARY", "TRANSACTIONS"]
_MONTHS = {"DAY": 0, "MONTH": 1, "YEAR": 12}
_DAYS = {"DAY": 1, "MONTH": 31, "YEAR": 366}
CEILINGS_SCHEMA = pa.schema(
    [
        pa.field("template", pa.string()),
        pa.field("is_assumed", pa.bool_()),
        pa.field("purpose_code", pa.string()),
        pa.field("fetch_type", pa.string()),
        pa.field("fi_type", pa.string()),
        pa.field("consent_types", pa.list_(pa.string())),
        pa.field("life_days", pa.int32()),
        pa.field("a_day", pa.int32()),
        pa.field("a_month", pa.int32()),
        pa.field("expiry_months", pa.int32()),
        pa.field("expiry_days", pa.int32()),
        pa.field("range_months", pa.int32()),
        pa.field("range_days", pa.int32()),
    ]
)


class Span(BaseModel):
    """A length of time: so many calendar units, or 31 days a month where that is longer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: Literal["DAY", "MONTH", "YEAR"]
    value: int = Field(ge=1)

    @property
    def months(self) -> int:
        """Calendar months; 0 for days."""
        return _MONTHS[self.unit] * self.value

    @property
    def days(self) -> int:
        """Days at most."""
        return _DAYS[self.unit] * self.value


class Ceiling(BaseModel):
    """What a template allows at most, for one purpose and the kinds of information it names.

    `frequency` counts fetches a calendar DAY and MONTH; without it, one fetch ever. A template
    that `is_assumed` holds for an artefact of its very consent types without being claimed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    template: str = Field(pattern=r"^(\*|CT[0-9]{3})$")
    purpose: str
    fetch_type: Literal["ONETIME", "PERIODIC"]
    fi_types: tuple[str, ...] = Field(min_length=1)
    consent_types: tuple[ConsentType, ...] = Field(min_length=1)
    is_assumed: bool = False
    data_life: Span
    frequency: dict[Literal["DAY", "MONTH"], int] = {}
    expiry: Span
    data_range: Span


class FairUse(BaseModel):
    """All rules; `groups` only names lists of kinds for use in the file itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    purposes: dict[str, str]
    refused_data_life: Span
    groups: dict[str, tuple[str, ...]] = {}
    ceilings: tuple[Ceiling, ...] = Field(min_length=1)

    def table(self) -> pa.Table:
        """CEILINGS_SCHEMA: one row a template, purpose, fetch type and kind of information."""
        return pa.Table.from_pylist(
            [
                {
                    "template": c.template,
                    "is_assumed": c.is_assumed,
                    "purpose_code": c.purpose,
                    "fetch_type": c.fetch_type,
                    "fi_type": fi_type,
                    "consent_types": sorted(c.consent_types),
                    "life_days": c.data_life.days,
                    "a_day": c.frequency.get("DAY"),
                    "a_month": c.frequency.get("MONTH"),
                    "expiry_months": c.expiry.months,
                    "expiry_days": c.expiry.days,
                    "range_months": c.data_range.months,
                    "range_days": c.data_range.days,
                }
                for c in self.ceilings
                for fi_type in c.fi_types
            ],
            schema=CEILINGS_SCHEMA,
        )


@cache
def load_fair_use() -> FairUse:
    """The rules; raises ContractError naming the file and the fault."""
    try:
        return FairUse.model_validate(yaml.safe_load(RULES_FILE.read_text()))
    except (yaml.YAMLError, ValidationError) as error:
        raise ContractError(f"{RULES_FILE} is not a set of fair-use rules: {error}") from error
