"""How sensors tell a run what exactly to do: the run configuration of the root assets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from paymentor_assets.engagement.stream_ingest import ShardRange
from paymentor_assets.ingestion.reconcile import Waiting

#: The ops of the root assets.
INGESTION_OP = "raw"
STREAM_OP = "engagement__raw_events"
FEATURES_OP = "features"


def ingestion_config(chosen: Sequence[Waiting], ready: Sequence[Waiting]) -> Mapping[str, Any]:
    """Exactly the chosen files; when nothing is held back, whatever waits when the run starts.

    The second form needs no list (a history load is tens of thousands of files), and a file that
    was taken away meanwhile does no harm.
    """
    if len(chosen) == len(ready):
        return {}
    return _of(INGESTION_OP, {"uris": [file.landed.uri for file in chosen]})


def stream_config(ranges: Mapping[str, ShardRange]) -> Mapping[str, Any]:
    """Exactly these ranges."""
    return _of(
        STREAM_OP,
        {"ranges": {shard: {"after": r.after, "upto": r.upto} for shard, r in ranges.items()}},
    )


def features_config(days: Sequence[date]) -> Mapping[str, Any]:
    """Exactly these days; the run's partition is the last of them."""
    return _of(FEATURES_OP, {"as_of_dates": [day.isoformat() for day in days]})


def _of(op: str, config: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"ops": {op: {"config": dict(config)}}}
