"""Narration categories: the rules of `narration_categories.yaml` as one SQL expression."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from resources.duck import quote
from resources.errors import ContractError

RULES_FILE = Path(__file__).parent / "narration_categories.yaml"

Category = Literal[
    "salary",
    "emi",
    "rent",
    "utilities",
    "groceries",
    "cash",
    "transfer",
    "interest",
    "bounce_charge",
    "insurance",
    "investment",
]


class CategoryRule(BaseModel):
    """One rule: all conditions that are given must hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    category: Category
    direction: Literal["CREDIT", "DEBIT"] | None = None
    modes: tuple[str, ...] = ()
    pattern: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> CategoryRule:
        if not self.modes and self.pattern is None:
            raise ValueError("a rule needs modes or a pattern")
        return self


class CategoryRules(BaseModel):
    """The rules in order; the first that matches decides."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: tuple[CategoryRule, ...] = Field(min_length=1)


@cache
def load_category_rules() -> CategoryRules:
    """The rules; raises ContractError naming the file and the fault."""
    try:
        return CategoryRules.model_validate(yaml.safe_load(RULES_FILE.read_text()))
    except (yaml.YAMLError, ValidationError) as error:
        raise ContractError(f"{RULES_FILE} is not a list of category rules: {error}") from error


def category_sql(narration: str, mode: str, direction: str) -> str:
    """A CASE over three SQL expressions of text; `other` when no rule matches."""
    branches = []
    for rule in load_category_rules().rules:
        conditions = []
        if rule.direction:
            conditions.append(f"{direction} = {quote(rule.direction)}")
        if rule.modes:
            conditions.append(f"{mode} IN ({', '.join(map(quote, rule.modes))})")
        if rule.pattern:
            conditions.append(f"regexp_matches({narration}, {quote(rule.pattern)}, 'i')")
        branches.append(f"WHEN {' AND '.join(conditions)} THEN {quote(rule.category)}")
    return f"CASE {' '.join(branches)} ELSE 'other' END"
