"""Streams: ordered shards of provider events, read by exact range.

What belongs here: which shards there are, how far they reach, and the records of a range. What does
not: what the records mean, and how far anyone has read (offsets live with the data that was read).
"""

from __future__ import annotations

import json
import os
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from resources.clock import as_utc
from resources.duck import connect, quote
from resources.errors import StreamGapError

#: What a read yields; `payload` is the provider's JSON text (or whatever text stood there).
RECORD_SCHEMA = pa.schema(
    [
        ("shard", pa.string()),
        ("sequence", pa.int64()),
        ("arrived_at_utc", pa.timestamp("us")),
        ("provider", pa.string()),
        ("payload", pa.string()),
    ]
)


class Stream(Protocol):
    """A stream whose records are numbered 1, 2, 3… without gaps in every shard."""

    def shards(self) -> list[str]:
        """The shard names, `<lender>/<shard>`, sorted."""
        ...

    def head(self, shard: str) -> int:
        """The newest sequence number of a shard; 0 when it is empty."""
        ...

    def read(self, shard: str, after: int, upto: int) -> pa.Table:
        """Exactly the records `after` < sequence <= `upto`, in order, as RECORD_SCHEMA.

        Raises StreamGapError when any of them is missing, doubled or malformed.
        """
        ...


@dataclass(frozen=True)
class StreamRecord:
    """A record to put on a stream; `payload` is a JSON document, or text to be put as it is."""

    arrived_at: datetime
    provider: str
    payload: object


class LocalStream:
    """Shards as folders of JSON-lines files: `stream/<lender>/<shard>/<first_sequence>.jsonl`.

    A file appears whole, by rename, and never changes; its name is the sequence number of its
    first line, so a range is found without opening the files before it.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def shards(self) -> list[str]:
        """The folders that hold at least one file; see `Stream.shards`."""
        names = {f"{p.parent.parent.name}/{p.parent.name}" for p in self._root.glob("*/*/*.jsonl")}
        return sorted(names)

    def head(self, shard: str) -> int:
        """The number on the last line of the last file; see `Stream.head`."""
        files = self._files(shard)
        if not files:
            return 0
        line = _last_line(files[-1][1])
        try:
            return int(json.loads(line)["sequence"])
        except (ValueError, KeyError, TypeError):
            raise StreamGapError(
                f"The last line of {files[-1][1]} is not a numbered stream record; "
                "the file is damaged and was not read."
            ) from None

    def read(self, shard: str, after: int, upto: int) -> pa.Table:
        """Read only the files that can hold the range; see `Stream.read`."""
        if upto < after:
            raise StreamGapError(f"The range ({after}, {upto}] of {shard} runs backwards.")
        files = self._files(shard)
        starts = [first for first, _ in files]
        lower = max(bisect_right(starts, after + 1) - 1, 0)
        chosen = [str(path) for _, path in files[lower : bisect_right(starts, upto)]]
        rows = _read_lines(shard, chosen, after, upto) if chosen else RECORD_SCHEMA.empty_table()
        if rows.column("sequence").to_pylist() != list(range(after + 1, upto + 1)):
            raise StreamGapError(_gap_sentence(shard, rows, after, upto))
        return rows

    def put(self, shard: str, records: Iterable[StreamRecord]) -> int:
        """Append records as one new file; returns the new head. One writer a shard."""
        folder = self._root / shard
        folder.mkdir(parents=True, exist_ok=True)
        first = self.head(shard) + 1
        lines = [
            json.dumps(
                {
                    "sequence": sequence,
                    "arrived_at_utc": as_utc(record.arrived_at).isoformat().replace("+00:00", "Z"),
                    "provider": record.provider,
                    "payload": record.payload,
                },
                ensure_ascii=False,
            )
            for sequence, record in enumerate(records, start=first)
        ]
        if not lines:
            return first - 1
        scratch = folder / f".{first:012d}.tmp"
        with scratch.open("w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(folder / f"{first:012d}.jsonl")
        return first + len(lines) - 1

    def _files(self, shard: str) -> list[tuple[int, Path]]:
        return sorted((int(path.stem), path) for path in (self._root / shard).glob("*.jsonl"))


def heads(stream: Stream) -> Mapping[str, int]:
    """The newest sequence number of every shard."""
    return {shard: stream.head(shard) for shard in stream.shards()}


def _read_lines(shard: str, files: list[str], after: int, upto: int) -> pa.Table:
    # One text column, so that the payload is kept as it arrived and a payload that is no object
    # (a provider's error page) does not spoil the reading of its neighbours.
    listed = ", ".join(quote(name) for name in files)
    # A control character that JSON forbids unescaped, hence in no line, serves as the separator.
    with connect() as con:
        rows: pa.Table = con.execute(
            f"""
            WITH lines AS (
                SELECT line FROM read_csv(
                    [{listed}], columns = {{'line': 'VARCHAR'}}, delim = chr(1), quote = '',
                    escape = '', header = false, auto_detect = false, strict_mode = true,
                    max_line_size = 16777216, parallel = false)
            ), parsed AS (
                SELECT
                    TRY_CAST(CASE WHEN json_valid(line) THEN line ->> '$.sequence' END AS BIGINT)
                        AS sequence,
                    line
                FROM lines
            )
            SELECT
                ? AS shard,
                sequence,
                TRY_CAST(line ->> '$.arrived_at_utc' AS TIMESTAMPTZ)::TIMESTAMP AS arrived_at_utc,
                line ->> '$.provider' AS provider,
                CASE json_type(line, '$.payload')
                    WHEN 'VARCHAR' THEN line ->> '$.payload'
                    ELSE json_extract(line, '$.payload')::VARCHAR
                END AS payload
            FROM parsed
            WHERE sequence > ? AND sequence <= ?
            ORDER BY sequence
            """,
            [shard, after, upto],
        ).to_arrow_table()
    rows = rows.cast(RECORD_SCHEMA)
    if rows.column("arrived_at_utc").null_count or rows.column("provider").null_count:
        raise StreamGapError(
            f"{shard} holds a record in ({after}, {upto}] without a readable arrived_at_utc or "
            "provider; the stream writer is at fault and nothing was read."
        )
    return rows


def _gap_sentence(shard: str, rows: pa.Table, after: int, upto: int) -> str:
    found: list[int] = rows.column("sequence").to_pylist()
    doubled = sorted({n for n in found if found.count(n) > 1}) if len(found) < 10_000 else []
    if doubled:
        return f"{shard} holds sequence {doubled[0]} twice; nothing of ({after}, {upto}] was read."
    present = set(found)
    missing = next((n for n in range(after + 1, upto + 1) if n not in present), None)
    return (
        f"{shard} should hold {upto - after} records in ({after}, {upto}], {len(found)} are there; "
        f"sequence {missing} is the first one missing. Nothing was read; restore its file."
    )


def _last_line(path: Path) -> bytes:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        window = 65_536
        while True:
            file.seek(max(size - window, 0))
            tail = file.read().rstrip(b"\n")
            if b"\n" in tail or window >= size:
                return tail.rsplit(b"\n", 1)[-1]
            window *= 4
