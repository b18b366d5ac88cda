"""Every rule of the shipped rulebook: what violates it and, one step away, what does not."""

from __future__ import annotations

import pytest

from tests.support.gate_rows import (
    RULEBOOK,
    Row,
    american,
    answer,
    ids,
    naive,
    offer,
    permissions,
    statement,
)
from tests.unit.compliance import cases_america, cases_house, cases_india

CASES = [*cases_house.CASES, *cases_india.CASES, *cases_america.CASES]


@pytest.mark.parametrize(
    ("row", "facts", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_rule(row: Row, facts: dict[str, object], expected: set[str]) -> None:
    assert ids(row, **facts) == expected


def test_every_clause_is_violated_by_some_case() -> None:
    violated: set[tuple[str, str, int]] = set()
    for _, row, facts, _ in CASES:
        violated |= {(r["id"], r["clause"], r["version"]) for r in answer(row, **facts)["rules"]}
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
