"""The narration classifier: rules mean what they say, and are measured on labelled narrations.

`narration_sample.csv` is synthetic: narrations written as banks of India and the United States
write them, labelled by what they are and not by what the rules make of them; some are beyond any
rule of words.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import pyarrow as pa
import pytest

from paymentor_assets.features.project import PROJECT_DIR
from paymentor_assets.ingestion.contracts.categories import (
    OTHER,
    Category,
    category_sql,
    load_category_rules,
)
from resources.duck import connect
from resources.errors import ContractError

SAMPLE = Path(__file__).with_name("narration_sample.csv")
#: Over all narrations that have a category: of those given one, how many have the right one; and of
#: all, how many were found. Raise them with the rules.
LEAST_PRECISION, LEAST_RECALL = 0.98, 0.90
#: A feature counts bounces and salaries: these must not be wrong.
EXACT = ("bounce_charge", "salary")


def _classified(rows: Sequence[tuple[str, str, str]]) -> list[str]:
    narrations = pa.table(list(zip(*rows, strict=True)), names=["n", "m", "d"])
    with connect(threads=1) as con:
        con.register("narrations", narrations)
        found = con.execute(f"SELECT {category_sql('n', 'm', 'd')} FROM narrations").fetchall()
        return [category for (category,) in found]


def test_the_classifier_is_right_about_labelled_narrations() -> None:
    with SAMPLE.open(newline="", encoding="utf-8") as opened:
        sample = list(csv.DictReader(opened))
    truth = [row["category"] for row in sample]
    found = _classified([(row["narration"], row["mode"], row["direction"]) for row in sample])
    right = Counter(t for t, f in zip(truth, found, strict=True) if t == f)
    given, there = Counter(found), Counter(truth)
    wrong = [
        f"{row['narration']}: {f}, is {row['category']}"
        for row, f in zip(sample, found, strict=True)
        if f != row["category"]
    ]
    named = sum(right[c] for c in there if c != OTHER)
    precision = named / sum(given[c] for c in given if c != OTHER)
    recall = named / sum(there[c] for c in there if c != OTHER)
    said = f"precision {precision:.3f}, recall {recall:.3f}; wrong: {wrong}"
    assert len(sample) >= 200 and set(there) == {*get_args(Category), OTHER}
    assert precision >= LEAST_PRECISION and recall >= LEAST_RECALL, said
    assert all(given[c] == right[c] for c in EXACT), said


@pytest.mark.parametrize(
    ("narration", "category"),
    [
        ("upi/jio_recharge", "utilities"),  # no case; an underscore ends a word
        ("UPI/JIOMART/1", "groceries"),  # letters do not
        ("EMI0012345", "emi"),  # a digit does
        ("PREMIUM RENT", "insurance"),  # the first rule decides
        ("", "other"),
    ],
)
def test_a_word_ends_where_its_letters_end(narration: str, category: str) -> None:
    assert _classified([(narration, "UPI", "DEBIT")]) == [category]


def test_a_rule_of_one_direction_leaves_the_other_alone() -> None:
    assert _classified([("SALARY", "UPI", "DEBIT"), ("SALARY", "UPI", "CREDIT")]) == [
        "other",
        "salary",
    ]


def test_every_category_has_a_rule_and_every_spending_feature_a_category() -> None:
    ruled = {rule.category for rule in load_category_rules()}
    assert ruled == set(get_args(Category))
    macro = (PROJECT_DIR / "macros" / "account_aggregator.sql").read_text()
    columns = re.findall(r"'([a-z_]+)'", macro.split("macro spend_categories")[1].split("])")[0])
    assert len(columns) == 18 and set(columns) <= ruled


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("priority,category,direction,reads,value\n", "no rule"),
        ("priority,category,direction,reads,value\n1,sallary,CREDIT,words,SAL\n", "not a list"),
        ("priority,category,direction,reads,value\n1,salary,IN,words,SAL\n", "not a list"),
    ],
)
def test_rules_that_mean_nothing_are_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "rules.csv"
    path.write_text(text)
    with pytest.raises(ContractError, match=says):
        load_category_rules(path)
