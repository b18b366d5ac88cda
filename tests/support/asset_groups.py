"""The groups of assets, in lineage order."""

from __future__ import annotations

GROUPS = (
    "ingestion",
    "features",
    "models",
    "rankings",
    "compliance",
    "strategies",
    "decisions",
    "dispatch",
    "offers",
    "engagement",
    "audit",
)
