"""What a dispatch came to, in counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class DispatchResult:
    """Counts of one call; `blocked_by_rule` counts each violated rule of blocked and deferred."""

    allowed: int = 0
    blocked: int = 0
    deferred: int = 0
    cancelled: int = 0
    sent: int = 0
    failed: int = 0
    retried: int = 0
    recovered: int = 0
    batches: int = 0
    blocked_by_rule: Counter[str] = field(default_factory=Counter)

    def add(self, other: DispatchResult) -> None:
        """Count another result in."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def count(self, by_status: Mapping[str, int]) -> None:
        """Count outcomes of sending and settling in."""
        self.sent += by_status.get("sent", 0) + by_status.get("recovered", 0)
        self.recovered += by_status.get("recovered", 0)
        self.failed += by_status.get("failed", 0)
        self.retried += by_status.get("retry", 0) + by_status.get("released", 0)
