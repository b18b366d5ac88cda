"""How sensors tell a run what exactly to do: the run configuration of the root assets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paymentor_assets.engagement.stream_ingest import ShardRange
from paymentor_assets.ingestion.reconcile import Waiting


def ingestion_config(files: Sequence[Waiting]) -> Mapping[str, Any]:
    """Exactly these files."""
    return {}


def stream_config(ranges: Mapping[str, ShardRange]) -> Mapping[str, Any]:
    """Exactly these ranges."""
    return {}
