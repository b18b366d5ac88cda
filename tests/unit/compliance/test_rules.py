"""Every rule of the shipped rulebook: what violates it and, one step away, what does not."""

from __future__ import annotations

from functools import cache

import pytest

from tests.support.gate_rows import (
    RULEBOOK,
    Row,
    american,
    answer,
    naive,
    offer,
    permissions,
    statement,
)
from tests.unit.compliance import cases_america, cases_house, cases_india

CASES = [*cases_house.CASES, *cases_india.CASES, *cases_america.CASES]


@cache
def rules_violated_in(case: int) -> list[Row]:
    """What the gate answers on a case, asked once for all tests."""
    _, row, facts, _ = CASES[case]
    rules: list[Row] = answer(row, **facts)["rules"]
    return rules


@pytest.mark.parametrize("case", range(len(CASES)), ids=[name for name, *_ in CASES])
def test_rule(case: int) -> None:
    *_, expected = CASES[case]
    assert {rule["id"] for rule in rules_violated_in(case)} == expected


def test_every_clause_is_violated_by_some_case() -> None:
    violated: set[tuple[str, str, int]] = set()
    for case in range(len(CASES)):
        violated |= {(r["id"], r["clause"], r["version"]) for r in rules_violated_in(case)}
    before_may_2025 = american("FL", scheduled_at_utc=naive(2025, 5, 1, 11))
    exempt_after = american("FL", scheduled_at_utc=naive(2025, 6, 1, 11))
    early_offer = offer(
        country="US", state="TX", time_zone="America/New_York",
        scheduled_at_utc=naive(2026, 6, 2, 11),
    )  # fmt: skip
    old = {"permissions": permissions(*(statement("granted", naive(2020, 1, 1), p)
                                        for p in ("collections", "marketing")))}  # fmt: skip
    for row in (before_may_2025, exempt_after, early_offer):
        violated |= {(r["id"], r["clause"], r["version"]) for r in answer(row, **old)["rules"]}

    assert violated == {(rule.id, rule.clause, rule.version) for rule in RULEBOOK.rules}
