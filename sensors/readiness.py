"""Whether a day can be planned: what its contract requires, against what has been taken in.

Plain functions over the lakehouse and the stream; no Dagster, no decision about what to do.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import EqualTo

from paymentor_assets.audit.offsets import SOURCE_OFFSETS, STREAM_OFFSETS, open_at_head
from paymentor_assets.audit.publications import newest
from paymentor_assets.engagement.events import STAGE as ENGAGEMENT
from paymentor_assets.engagement.stream_ingest import pending_ranges
from paymentor_assets.engagement.tables import EVENTS, RAW_EVENTS
from paymentor_assets.ids import deterministic_id
from paymentor_assets.ingestion.contracts.tables import INGESTED_FILES
from paymentor_assets.ingestion.reconcile import pending
from paymentor_assets.lenders import Lender
from resources.clock import naive_utc
from resources.lakehouse import Lakehouse
from resources.landing_zone import LandingZone
from resources.operational_store import OperationalStore
from resources.streams import Stream

APPROVALS_TABLE = "models.approvals"
#: A duplicate counts: two days without payments are the same bytes, and both were delivered.
_TAKEN_IN = ("ingested", "duplicate")
#: Files with business dates this far before the day are looked for.
_LOOK_BACK = timedelta(days=35)
_COLUMNS = ("file_id", "uri", "feed", "business_date", "known_at", "status", "message")


@dataclass(frozen=True)
class DayInputs:
    """What a day can read.

    `fingerprint` changes exactly when the files that the day may read, or the approvals of
    models, change. `faults` names each required feed that is not there, with a sentence; empty
    when the day is complete.
    """

    fingerprint: str
    faults: dict[str, str]


def inputs_of_day(lake: Lakehouse, lender: Lender, day: date) -> DayInputs:
    """Look at the files the newest ingestion publication shows, as known at the day's cut-off.

    A required feed counts only when a file of that business date was known by the cut-off: a
    later one is not read by the day, so planning on it would silently use yesterday's.
    """
    cutoff = naive_utc(lender.cutoff_utc(day))
    files = _files(lake, lender)
    readable = files.filter(pc.less_equal(files.column("known_at"), pa.scalar(cutoff)))
    taken_in = readable.filter(
        pc.is_in(readable.column("status"), value_set=pa.array(_TAKEN_IN, pa.string()))
    )
    fingerprint = deterministic_id(
        lake.head(APPROVALS_TABLE), *sorted(set(taken_in.column("file_id").to_pylist()))
    )
    of_day = files.filter(pc.equal(files.column("business_date"), pa.scalar(day))).to_pylist()
    faults = {}
    for feed in lender.required_feeds:
        fault = _fault([row for row in of_day if row["feed"] == feed], cutoff)
        if fault is not None:
            faults[feed] = fault
    return DayInputs(fingerprint, faults)


def events_not_read(lake: Lakehouse, stream: Stream, lender: Lender, day: date) -> list[str]:
    """Shards of the lender with an event that arrived by the cut-off of `day` and is no fact yet.

    Such an event belongs to the day; planning before it is read would not be repeatable.
    """
    cutoff = naive_utc(lender.cutoff_utc(day))
    behind = facts_behind(lake, lender.lender_id)
    for shard, missing in pending_ranges(lake, stream, lender_id=lender.lender_id).items():
        first = stream.read(shard, missing.after, missing.after + 1)
        arrived: datetime = first.column("arrived_at_utc")[0].as_py()
        if arrived <= cutoff and shard not in behind:
            behind.append(shard)
    return behind


def files_not_read(
    landing_zone: LandingZone, store: OperationalStore, lender: Lender, day: date
) -> list[str]:
    """Waiting files of the lender that the day would read once they are ingested, by uri.

    Only under the rule `file_name`: there a file delivered by the cut-off belongs to the day
    whenever it is ingested. Under `receipt`, what was not taken in by the cut-off is known later.
    """
    if lender.known_at == "receipt":
        return []
    cutoff = lender.cutoff_utc(day)
    found = pending(landing_zone, store, lender_id=lender.lender_id, since=day - _LOOK_BACK)
    return [
        file.landed.uri
        for file in found
        if file.landed.delivered_at_utc is not None and file.landed.delivered_at_utc <= cutoff
    ]


def facts_behind(lake: Lakehouse, lender_id: str) -> list[str]:
    """Shards of the lender whose committed raw events are not all in published facts.

    Nothing is behind in the ordinary course; a run that died after reading the stream leaves it so.
    """
    raw = open_at_head(lake, RAW_EVENTS, STREAM_OFFSETS)
    read = {s: upto for s, upto in raw.offsets.items() if s.split("/", 1)[0] == lender_id}
    if not read:
        return []
    published = newest(lake, ENGAGEMENT, lender_id)
    if published is None or EVENTS.name not in published.tables:
        return sorted(read)
    pinned = published.table(EVENTS.name).snapshot_id
    # Maintenance may have expired the pinned snapshot; it carries the offsets to the head.
    snapshot = pinned if lake.has_snapshot(EVENTS.name, pinned) else None
    done = json.loads(lake.summary(EVENTS.name, snapshot).get(SOURCE_OFFSETS, "{}"))
    return sorted(shard for shard, upto in read.items() if upto > done.get(shard, 0))


def _files(lake: Lakehouse, lender: Lender) -> pa.Table:
    publication = newest(lake, "ingestion", lender.lender_id)
    if publication is None or INGESTED_FILES.name not in publication.tables:
        return INGESTED_FILES.schema.empty_table().select(list(_COLUMNS))
    return lake.scan(
        INGESTED_FILES.name,
        publication.table(INGESTED_FILES.name).snapshot_id,
        EqualTo("lender_id", lender.lender_id),
        _COLUMNS,
    )


def _fault(rows: list[dict[str, object]], cutoff: datetime) -> str | None:
    taken_in = [row for row in rows if row["status"] in _TAKEN_IN]
    known = [row["known_at"] for row in taken_in if isinstance(row["known_at"], datetime)]
    if any(known_at <= cutoff for known_at in known):
        return None
    if known:
        return (
            f"came at {min(known).isoformat()}Z, after the cut-off {cutoff.isoformat()}Z, "
            "so the day does not read it"
        )
    refused = [str(row["message"]) for row in rows if row["status"] == "rejected"]
    if refused:
        return f"was refused: {refused[-1]}"
    return "has not arrived"
