"""Whatever is done to a file: its rows add up as a reference reader counts, or it is refused."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from datetime import date
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paymentor_assets.ingestion.contracts.book import load_feeds
from paymentor_assets.ingestion.feed_batch import Context, process
from paymentor_assets.ingestion.intake import IncomingFile
from paymentor_assets.ingestion.takings import DryTakings
from paymentor_assets.lenders import Lender
from resources.clock import FixedClock
from resources.duck import connect
from resources.landing_zone import LandedFile
from resources.openpgp import PgpKeys
from resources.vault import Vault
from tests.support.consents import consent_facts
from tests.support.landing_house import (
    DAY,
    DELIVERED,
    NOW,
    LandingHouse,
    as_lines,
    consent,
    deposit,
    make_lender,
    payments,
    portfolio,
)

Mutation = tuple[str, int, int]
KINDS = ["flip", "insert", "delete", "cut", "repeat", "swap"]
MUTATION = st.tuples(
    st.sampled_from(KINDS), st.integers(0, 1 << 16), st.sampled_from([*b',"\n\r\0;{}[]:-', 0xFF])
)
FILES = st.lists(st.lists(MUTATION, min_size=1, max_size=3), min_size=10, max_size=40)


def mutate(content: bytes, mutations: list[Mutation]) -> bytes:
    for kind, position, byte in mutations:
        at = position % (len(content) or 1)
        match kind:
            case "flip":
                content = content[:at] + bytes([byte]) + content[at + 1 :]
            case "insert":
                content = content[:at] + bytes([byte]) + content[at:]
            case "delete":
                content = content[:at] + content[at + 1 + byte % 40 :]
            case "cut":
                content = content[:at]
            case "repeat":
                content += content[at:]
            case "swap":
                lines = content.split(b"\n")
                first, second = at % len(lines), (at * 7) % len(lines)
                lines[first], lines[second] = lines[second], lines[first]
                content = b"\n".join(lines)
    return content


def rows_of_csv(content: bytes) -> int:
    _, _, body = content.partition(b"\n")
    lines = [line.decode(errors="replace").rstrip("\r\n") + "\n" for line in body.split(b"\n")]
    readable = (line.replace("\r", "\ue00d") for line in lines)
    return sum(1 for row in csv.reader(readable) if row)


def rows_of_deposits(content: bytes) -> int:
    count = 0
    for line in content.split(b"\n"):
        if not line.rstrip(b"\r"):
            continue
        count += 1
        try:
            found = json.loads(line)["account"]["transactions"]["transaction"]
        except (ValueError, KeyError, TypeError, IndexError):
            continue
        count += len(found) if isinstance(found, list) else isinstance(found, dict)
    return count


class Memory:
    """A landing zone of files that only exist in memory."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files

    def list(self, since: date | None = None) -> list[LandedFile]:
        return []

    def open(self, uri: str) -> BinaryIO:
        return io.BytesIO(self._files[uri])


def no_keys(lender_id: str) -> PgpKeys:
    raise AssertionError("no file of these is encrypted")


def check(
    vault: Vault,
    lender: Lender,
    feed: str,
    contents: list[bytes],
    reference: Callable[[bytes], int],
) -> Counter[str]:
    named = {f"meridian/{feed}/{i}": content for i, content in enumerate(contents)}
    files = [
        IncomingFile(
            LandedFile(uri, "e", len(content), "meridian", feed, DAY, DELIVERED),
            attempts=1,
            received_at=NOW,
            file_id=sha256(content).hexdigest(),
            business_date=DAY,
            known_at=DELIVERED,
        )
        for uri, content in named.items()
    ]
    consents = consent_facts()
    takings = DryTakings()
    with connect(threads=1) as con, TemporaryDirectory() as scratch:
        context = Context(
            con, Memory(named), vault, no_keys, lender, FixedClock(NOW), Path(scratch)
        )
        process(context, load_feeds()[feed], files, takings, consents)
    accepted = Counter(
        file_id
        for tables in takings.accepted.values()
        for rows in tables
        for file_id in rows.column("_file_id").to_pylist()
    )
    rejected = Counter(takings.rejected.column("file_id").to_pylist())
    twins = Counter(f.file_id for f in files)
    outcomes: Counter[str] = Counter()
    for file in files:
        outcomes[str(file.reason_code or file.status)] += 1
        content = named[file.name]
        if file.status == "rejected":
            assert file.message and file.name in file.message
            assert accepted[file.file_id] == rejected[file.file_id] == 0
            continue
        assert file.status == "ingested", (content, file.message)
        assert file.rows_total == reference(content), content
        assert file.rows_accepted + file.rows_rejected == file.rows_total
        assert accepted[file.file_id] == file.rows_accepted * twins[file.file_id]
        assert rejected[file.file_id] == file.rows_rejected * twins[file.file_id]
    for row in takings.rejected.to_pylist():
        assert (
            row["message"].startswith("meridian/") and f"row {row['row_number']}" in row["message"]
        )
        assert row["raw_record"]
    return outcomes


@pytest.mark.parametrize(
    ("feed", "content", "reference"),
    [
        ("payments", payments(8), rows_of_csv),
        ("portfolio", portfolio(4).replace(b"Pune", b'"Pu\nne, ""x"""', 1), rows_of_csv),
        ("aa_deposits", as_lines(deposit(1), deposit(2)), rows_of_deposits),
    ],
)
def test_nothing_is_lost_whatever_happens_to_a_file(
    house: LandingHouse, feed: str, content: bytes, reference: Callable[[bytes], int]
) -> None:
    lender = make_lender(max_rejected_share=1.0)
    assert check(house.vault, lender, feed, [content], reference) == {"ingested": 1}

    @settings(
        max_examples=8,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(files=FILES)
    def mutants(files: list[list[Mutation]]) -> None:
        contents = [c for c in (mutate(content, m) for m in files) if c]
        check(house.vault, lender, feed, contents, reference)

    mutants()


def test_a_refused_consent_refuses_nothing_else(house: LandingHouse) -> None:
    lender = make_lender(max_rejected_share=1.0)
    lines = as_lines(consent(1), consent(2) | {"status": "SLEEPING"}, consent(3))

    def count(content: bytes) -> int:
        return len(content.splitlines())

    assert check(house.vault, lender, "aa_consents", [lines], count) == {"ingested": 1}
