"""The families on public data: `python -m tests.real_data.protocol` writes the report of them.

Every figure comes from the shipped `fit`, unchanged, on rows that it has not seen. CI takes one
fold a set (`test_families.py`, `test_berka_loans.py`); this command takes all of them. `--only`
renews the sets whose name holds its text and leaves the rest of the report as it is.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np

from tests.real_data import judging, model_sets
from tests.real_data.judging import FOLDS, SEED, Case, Result, failures

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "models" / "real-data.md"

#: Thirty of its loans are bad: on a fold, six.
BERKA = Case(
    "berka",
    "customer_ranking",
    judging.berka,
    {"auc": 0.90, "gain_over_terms": 0.12},
    fold_slack=0.15,
)

CASES = (
    Case(
        "uci_default",
        "customer_ranking",
        judging.classes("customer_ranking", model_sets.uci_default),
        {"auc": 0.775},
        {"brier": 0.139},
        fold_slack=0.02,
    ),
    Case(
        "uci_default, behind with payments",
        "customer_ranking",
        judging.classes("customer_ranking", model_sets.uci_delinquent),
        {"auc": 0.725},
        fold_slack=0.06,
    ),
    Case(
        "bank_marketing",
        "offer_propensity",
        judging.bank_marketing,
        {"auc": 0.61, "drift_alarms": 1, "leaks_found": 1},
    ),
    Case(
        "bureau_offer", "offer_propensity", judging.bureau_offer, {"qini_e4": 115}, fold_slack=0.4
    ),
    Case(
        "lending_club",
        "income_imputation",
        judging.incomes(model_sets.lending_club),
        {"r2_log": 0.45, "coverage": 0.88},
        {"coverage": 0.92},
        fold_slack=0.05,
    ),
    Case(
        "cps1988",
        "income_imputation",
        judging.incomes(model_sets.cps1988),
        {"r2_log": 0.47},
        fold_slack=0.07,
    ),
    Case(
        "german_credit",
        "customer_ranking",
        judging.classes("customer_ranking", model_sets.german_credit),
        {"auc": 0.785},
        fold_slack=0.08,
    ),
    Case("adult", "income_imputation", judging.adult, {"auc": 0.927}),
    Case(
        "online_shoppers",
        "user_affinity",
        judging.classes("user_affinity", model_sets.online_shoppers),
        {"auc": 0.93},
        fold_slack=0.015,
    ),
    BERKA,
)


def rows(case: Case, result: Result) -> list[str]:
    """The report's lines of one set: a row a measure, then its notes."""
    short = " ".join(failures(case, result))
    lines = []
    for name, values in result.measures.items():
        bounds = [("≥", case.at_least.get(name)), ("≤", case.at_most.get(name))]
        asked = " and ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)
        met = "" if not asked else "no" if f"{name} " in short else "yes"
        lines.append(
            f"| {case.name} | {case.family} | {name} | {np.mean(values):.4f} | "
            f"{np.std(values):.4f} | {asked or '–'} | {met or '–'} | "
            f"{', '.join(sorted(set(result.chosen)))} | {np.mean(result.cpu_seconds):.0f} |"
        )
    return lines + [f"- {case.name}: {note}" for note in result.notes]


def written(case: Case, report: str) -> list[str]:
    """The lines of one set as they stand in a report."""
    begins = (f"| {case.name} |", f"- {case.name}: ")
    return [line for line in report.splitlines() if line.startswith(begins)]


def render(lines: list[str]) -> str:
    """The report as Markdown, from the lines of all its sets."""
    head = [
        "# The model families on public data\n",
        "Written by `python -m tests.real_data.protocol` (part of `make proof`). Every figure is",
        "of the shipped `fit`, unchanged, on rows it had not seen: five folds (stratified for",
        f"classes) with seed {SEED}, five times over for berka, the official division (adult), or",
        "the last fifth of the file (bank_marketing). Mean over folds, and the folds' standard",
        "deviation. Of berka, the 354 loans of 1997 and 1998 of which the source has every earlier",
        "transaction: the loan's terms and the features of customer_ranking, which the dbt project",
        "computed as of the day before the grant; loans in the order of their grant.\n",
        "| set | family | measure | mean | sd | asked | met | chosen | CPU s a fit |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    table = [line for line in lines if line.startswith("|")]
    return "\n".join([*head, *table, "", *(line for line in lines if line not in table)]) + "\n"


def main() -> None:
    """Run all sets, or those whose name holds `--only`, and write or (fewer folds) print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folds", type=int, default=FOLDS)
    parser.add_argument("--only", default="")
    asked = parser.parse_args()
    os.environ.setdefault("CI", "true")
    before = RESULTS.read_text() if RESULTS.exists() else ""
    lines: list[str] = []
    for case in CASES:
        if asked.only not in case.name:
            lines += written(case, before)
            continue
        result = case.run(asked.folds)
        lines += rows(case, result)
        measured = ", ".join(f"{name} {result.mean(name):.4f}" for name in result.measures)
        short = "; ".join(failures(case, result)) or "met"
        print(f"{case.name}: {measured} ({short})", flush=True)  # noqa: T201
    if asked.folds < FOLDS:
        print(render(lines))  # noqa: T201
        return
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(render(lines))


if __name__ == "__main__":
    main()
