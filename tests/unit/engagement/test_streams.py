"""The local stream: exact ranges, and an error where a record is missing, doubled or damaged."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from resources.errors import StreamGapError
from resources.streams import LocalStream, StreamRecord, heads

NOW = datetime(2026, 6, 2, 4, 30, tzinfo=UTC)
SHARD = "meridian/shard-0000"


def records(*numbers: int) -> list[StreamRecord]:
    return [StreamRecord(NOW, "sms", {"n": number}) for number in numbers]


@pytest.fixture
def stream(tmp_path: Path) -> LocalStream:
    made = LocalStream(tmp_path)
    made.put(SHARD, records(1, 2, 3))
    made.put(SHARD, records(4))
    made.put(SHARD, records(5, 6))
    return made


def numbers(stream: LocalStream, after: int, upto: int) -> list[int]:
    return [
        json.loads(p)["n"] for p in stream.read(SHARD, after, upto).column("payload").to_pylist()
    ]


def test_every_range_is_read_exactly(stream: LocalStream) -> None:
    assert heads(stream) == {SHARD: 6}
    for after in range(7):
        for upto in range(after, 7):
            assert numbers(stream, after, upto) == list(range(after + 1, upto + 1))


def test_an_empty_stream_has_no_shards(tmp_path: Path) -> None:
    assert heads(LocalStream(tmp_path)) == {}
    assert LocalStream(tmp_path).head(SHARD) == 0


def test_payloads_are_kept_as_they_came(tmp_path: Path) -> None:
    stream = LocalStream(tmp_path)
    odd = ['<html>"no"</html>', "", "line\nbreak", {"ta": "நிறுத்து", "q": '"', "n": 1.5}, None, [1]]
    stream.put(SHARD, [StreamRecord(NOW, "x", payload) for payload in odd])
    read = stream.read(SHARD, 0, len(odd)).column("payload").to_pylist()
    assert read[:3] == odd[:3]
    assert [json.loads(text) for text in read[3:]] == odd[3:]


def test_a_range_beyond_the_head_is_a_gap(stream: LocalStream) -> None:
    with pytest.raises(StreamGapError, match="sequence 7 is the first one missing"):
        stream.read(SHARD, 5, 7)


def test_a_missing_file_is_a_gap(stream: LocalStream, tmp_path: Path) -> None:
    (tmp_path / SHARD / "000000000004.jsonl").unlink()
    with pytest.raises(StreamGapError, match="sequence 4"):
        stream.read(SHARD, 0, 6)
    assert numbers(stream, 4, 6) == [5, 6]


def test_a_doubled_record_is_an_error(stream: LocalStream, tmp_path: Path) -> None:
    path = tmp_path / SHARD / "000000000005.jsonl"
    first = path.read_text().splitlines()[0]
    path.write_text(f"{first}\n{first}\n")
    with pytest.raises(StreamGapError, match="sequence 5 twice"):
        stream.read(SHARD, 4, 6)


def test_a_torn_last_line_is_an_error(stream: LocalStream, tmp_path: Path) -> None:
    path = tmp_path / SHARD / "000000000005.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StreamGapError, match="not a numbered stream record"):
        stream.head(SHARD)
    with pytest.raises(StreamGapError, match="sequence 6"):
        stream.read(SHARD, 4, 6)


def test_a_record_without_arrival_is_an_error(stream: LocalStream, tmp_path: Path) -> None:
    path = tmp_path / SHARD / "000000000004.jsonl"
    path.write_text('{"sequence": 4, "provider": "sms", "payload": {}}\n')
    with pytest.raises(StreamGapError, match="arrived_at_utc"):
        stream.read(SHARD, 3, 4)


def test_long_records_are_read_whole(tmp_path: Path) -> None:
    stream = LocalStream(tmp_path)
    stream.put(SHARD, [StreamRecord(NOW, "ses", {"t": "x" * 300_000})] * 3)
    assert stream.head(SHARD) == 3
    assert stream.read(SHARD, 2, 3).num_rows == 1
