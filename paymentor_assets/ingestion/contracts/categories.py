"""Narration categories: the rules of the dbt seed `narration_rules.csv` as one SQL expression.

The rules are a seed so that who maintains features maintains them, with the descriptions beside
them; they are applied here, since a narration is personal and does not get past the door.
"""

from __future__ import annotations

import csv
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from paymentor_assets.settings import PROJECT_ROOT
from resources.duck import quote
from resources.errors import ContractError

RULES_FILE = PROJECT_ROOT / "dbt_project" / "seeds" / "narration_rules.csv"
#: What no rule knows.
OTHER = "other"

Category = Literal[
    "salary",
    "benefit",
    "refund",
    "interest",
    "loan_disbursal",
    "emi",
    "card_payment",
    "rent",
    "utilities",
    "groceries",
    "dining",
    "shopping",
    "travel",
    "health",
    "education",
    "entertainment",
    "gambling",
    "insurance",
    "investment",
    "tax",
    "fee",
    "bounce_charge",
    "cash",
    "transfer",
]


class CategoryRule(BaseModel):
    """One value that a mode equals, or that stands in a narration as a word of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    priority: int
    category: Category
    direction: Annotated[
        Literal["CREDIT", "DEBIT"] | None, BeforeValidator(lambda text: text or None)
    ]
    reads: Literal["mode", "words"]
    value: str


@cache
def load_category_rules(path: Path = RULES_FILE) -> tuple[CategoryRule, ...]:
    """The rules by priority; raises ContractError naming the file and the fault."""
    with path.open(newline="", encoding="utf-8") as opened:
        try:
            rules = [CategoryRule.model_validate(row) for row in csv.DictReader(opened)]
        except ValidationError as error:
            raise ContractError(f"{path} is not a list of category rules: {error}") from error
    if not rules:
        raise ContractError(f"{path} has no rule; every transaction would be {OTHER!r}.")
    return tuple(sorted(rules, key=lambda rule: rule.priority))


def category_sql(narration: str, mode: str, direction: str) -> str:
    """A CASE over three SQL expressions of text; `other` when no rule matches.

    Rules of one priority are one branch and one pass over the narration. A word ends where its
    letters end: banks set digits, slashes and underscores right beside it.
    """
    branches = []
    for _, group in groupby(load_category_rules(), key=lambda rule: rule.priority):
        rules = list(group)
        first = rules[0]
        if any((r.category, r.direction, r.reads) != (first.category, first.direction, first.reads)
               for r in rules):  # fmt: skip
            raise ContractError(
                f"{RULES_FILE}: rules of priority {first.priority} differ in category, direction "
                "or what they read; give them priorities of their own."
            )
        values = [rule.value for rule in rules]
        if first.reads == "mode":
            matches = f"{mode} IN ({', '.join(map(quote, values))})"
        else:
            pattern = f"(^|[^A-Z])({'|'.join(values)})([^A-Z]|$)"
            matches = f"regexp_matches({narration}, {quote(pattern)}, 'i')"
        if first.direction:
            matches = f"{direction} = {quote(first.direction)} AND {matches}"
        branches.append(f"WHEN {matches} THEN {quote(first.category)}")
    return f"CASE {' '.join(branches)} ELSE {quote(OTHER)} END"
