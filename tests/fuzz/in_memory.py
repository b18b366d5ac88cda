"""Files through parser, contract and conservation in memory, and what must hold for each of them.

Files of one call are one batch of the pipeline, so that a bad one that took another with it would
be found. Nothing is committed.
"""

from __future__ import annotations

import faulthandler
import io
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import BinaryIO

import pytest

from paymentor_assets.ingestion import chunks, parsers, plain_bytes
from paymentor_assets.ingestion.feed_batch import Context, process
from paymentor_assets.ingestion.ingest import scratch
from paymentor_assets.ingestion.intake import IncomingFile
from paymentor_assets.ingestion.takings import DryTakings
from resources.clock import FixedClock
from resources.landing_zone import LandedFile
from resources.openpgp import PgpKeys
from resources.vault import Vault
from tests.fuzz.formats import Fuzzed
from tests.fuzz.sound_files import SessionKeyRing, pgp_keys
from tests.support.consents import consent_facts
from tests.support.landing_house import DAY, DELIVERED, NOW, make_lender

_REASON_CODE = re.compile(r"[A-Z][A-Z0-9_]+")


@dataclass(frozen=True)
class Taken:
    """What became of a batch: its files, and the rows that would be committed."""

    files: Sequence[IncomingFile]
    accepted: Mapping[str, Sequence[int]]
    rejected: Sequence[Mapping[str, object]]


class _Memory:
    """A landing zone of files that only exist in memory."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def list(self, since: date | None = None) -> list[LandedFile]:
        return []

    def open(self, uri: str) -> BinaryIO:
        return io.BytesIO(self._files[uri])


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """End the process, with a trace of where it hangs, when the block takes longer.

    An exception could not reach a library that hangs.
    """
    faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


@contextmanager
def memory_cap(mebibytes: int) -> Iterator[None]:
    """Fail when the block takes more memory, at its peak, than the process had before it."""
    Path("/proc/self/clear_refs").write_text("5")
    before = _status_mebibytes("VmRSS")
    yield
    grown = _status_mebibytes("VmHWM") - before
    assert grown <= mebibytes, f"{grown} MiB more than before, and {mebibytes} are allowed"


@contextmanager
def small_pieces(*, block: int, chunk: int | None = None) -> Iterator[None]:
    """Let small files come in many blocks, and chunks, as big ones do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_bytes, "_BLOCK", block)
        for found in iter_modules(parsers.__path__, f"{parsers.__name__}."):
            module = import_module(found.name)
            if hasattr(module, "BLOCK_BYTES"):
                patch.setattr(module, "BLOCK_BYTES", block)
        if chunk is not None:
            patch.setattr(chunks, "CHUNK_BYTES", chunk)
        yield


def take(
    fuzzed: Fuzzed,
    contents: Sequence[bytes],
    *,
    max_rejected_share: float = 1.0,
    keys: PgpKeys | None = None,
    now: datetime = NOW,
) -> Taken:
    """One batch of files through the pipeline, with other keys or at another time if asked."""
    lender = make_lender(fuzzed.lender_id, max_rejected_share=max_rejected_share)
    place = f"{lender.lender_id}/{fuzzed.feed}/{fuzzed.feed}"
    named = {f"{place}_{i}.{fuzzed.extension}": content for i, content in enumerate(contents)}
    files = [
        IncomingFile(
            LandedFile(uri, "e", len(content), lender.lender_id, fuzzed.feed, DAY, DELIVERED),
            attempts=1,
            received_at=NOW,
            file_id=sha256(content).hexdigest(),
            business_date=DAY,
            known_at=DELIVERED,
        )
        for uri, content in named.items()
    ]
    takings = DryTakings()
    with closing(_passing_vault()) as vault, scratch() as (con, folder):
        context = Context(
            con,
            _Memory(named),
            vault,
            lambda _: keys or pgp_keys(),
            lender,
            FixedClock(now),
            folder,
            SessionKeyRing(),
        )
        process(context, fuzzed.contract, files, takings, consent_facts())
        left = [path.name for path in folder.iterdir() if path.name != "spill"]
        assert left == [], "no plaintext stays behind in the scratch"
    accepted: dict[str, list[int]] = {file.file_id: [] for file in files}
    for tables in takings.accepted.values():
        for rows in tables:
            places = (rows.column(name).to_pylist() for name in ("_file_id", "_row_number"))
            for file_id, row_number in zip(*places, strict=True):
                accepted[file_id].append(row_number)
    return Taken(files, accepted, takings.rejected.to_pylist())


def check(fuzzed: Fuzzed, contents: Sequence[bytes], taken: Taken) -> Counter[str]:
    """Hold a batch to what must be true of every file; returns the outcomes by reason or status.

    The contents of a batch are all different.
    """
    outcomes: Counter[str] = Counter()
    rejected: dict[str, list[int]] = {file.file_id: [] for file in taken.files}
    names = {file.file_id: file.name for file in taken.files}
    for row in taken.rejected:
        where, number = str(row["file_id"]), row["row_number"]
        rejected[where].append(int(str(number)))
        assert _REASON_CODE.fullmatch(str(row["reason_code"])) and row["raw_record"]
        assert str(row["message"]).startswith(f"{names[where]}, row {number}")
    for file, content in zip(taken.files, contents, strict=True):
        numbers = [*taken.accepted[file.file_id], *rejected[file.file_id]]
        told = f"{file.name}: {file.message}; {content[:2000]!r}"
        if file.status == "rejected":
            assert _REASON_CODE.fullmatch(str(file.reason_code)), told
            assert file.message and file.name in file.message, told
            assert not numbers and file.rows_total == 0, told
        else:
            assert file.status == "ingested", told
            assert file.rows_total == fuzzed.count(fuzzed.unpacked(content)), told
            assert file.rows_accepted == len(taken.accepted[file.file_id]), told
            assert file.rows_rejected == len(rejected[file.file_id]), told
            # Each row of the file once, and no other.
            assert sorted(numbers) == list(range(1, file.rows_total + 1)), told
        outcomes[str(file.reason_code or file.status)] += 1
    return outcomes


def _status_mebibytes(field: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0]) >> 10


def _passing_vault() -> Vault:
    keys = {size: os.urandom(size) for size in (32, 64)}
    return Vault(
        "sqlite://",
        vault_key=lambda: keys[64],
        token_key=lambda: keys[32],
        on_reveal=lambda reveal: None,
    )
