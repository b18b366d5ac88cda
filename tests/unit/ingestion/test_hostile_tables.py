"""Mutants of sound Parquet files, change logs and do-not-call lists.

Whatever is done to the bytes, the parser ends in rows, some with a fault, or refuses the file: no
other exception, and every row numbered once.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from paymentor_assets.ingestion.contracts.book import load_feeds
from paymentor_assets.ingestion.parsers.change_log import ChangeLog
from paymentor_assets.ingestion.parsers.interface import Parser
from paymentor_assets.ingestion.parsers.parquet import Parquet
from paymentor_assets.ingestion.parsers.us_dnc import UsDnc
from resources.errors import RejectedFile
from tests.support.parsing import parse
from tests.unit.ingestion import test_change_log, test_parquet

#: Of each subject; two subjects a parser.
MUTANTS = 150
COMMITTED = test_change_log.COMMITTED


def _parquet(compression: str) -> bytes:
    return test_parquet.as_parquet(test_parquet.sound(50), compression=compression)


def _changes_csv() -> bytes:
    lines = [f'{op},{COMMITTED},A{i},"Asha, {i}",{i}.5' for i, op in enumerate("IUUD" * 5)]
    return "\n".join(lines).encode() + b"\n"


def _changes_parquet() -> bytes:
    out = io.BytesIO()
    columns = {
        "Op": ["I", "U", "D"] * 10,
        "committed_at": [COMMITTED] * 30,
        "account_id": [f"A{i}" for i in range(30)],
        "full_name": ["Asha", None, "Ravi"] * 10,
        "balance": [1.5, None, 3.0] * 10,
    }
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def _dnc_changes() -> bytes:
    return b"".join(b"206,55501%02d,2026-03-01,%s\n" % (i, b"AD"[i % 2 :][:1]) for i in range(30))


SUBJECTS: dict[str, tuple[Callable[[], Parser], bytes]] = {
    "parquet": (lambda: Parquet(test_parquet.feed()), _parquet("snappy")),
    "parquet_plain": (lambda: Parquet(test_parquet.feed()), _parquet("none")),
    "change_log_csv": (lambda: ChangeLog(test_change_log.feed()), _changes_csv()),
    "change_log_parquet": (lambda: ChangeLog(test_change_log.feed()), _changes_parquet()),
    "us_dnc_list": (
        lambda: UsDnc(load_feeds()["us_dnc_list"]),
        b"".join(b"206,55501%02d\r\n" % i for i in range(30)),
    ),
    "us_dnc_changes": (lambda: UsDnc(load_feeds()["us_dnc_changes"]), _dnc_changes()),
}


def _mutant(content: bytes, rng: random.Random) -> bytes:
    data = bytearray(content)
    at = rng.randrange(len(data))
    match rng.randrange(9):
        case 0:
            for _ in range(rng.choice((1, 1, 3, 20))):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        case 1:
            del data[at:]
        case 2:
            del data[at : at + rng.choice((1, 4, 100))]
        case 3:
            data[at:at] = rng.randbytes(rng.choice((1, 8, 200)))
        case 4:
            data[at : at + 4] = rng.choice((b"\xff\xff\xff\x7f", b"\x00\x00\x00\x00", b'"""\n'))
        case 5:
            data[at:at] = data[at : at + rng.randrange(1, 200)]
        case 6:
            data = bytearray(content.decode("latin-1").encode(rng.choice(("utf-16", "utf-8"))))
        case 7:
            data[at:at] = rng.choice((b"\xef\xbb\xbf", b"\0" * 20, b"\r\r", b"," * 40, b"\n\n"))
        case _:
            # The end of a Parquet file says where everything is.
            for _ in range(rng.choice((1, 2, 8))):
                data[-1 - rng.randrange(min(600, len(data)))] = rng.randrange(256)
    return bytes(data)


@pytest.mark.parametrize("name", SUBJECTS)
def test_mutants_end_in_rows_or_a_refusal(name: str) -> None:
    make, content = SUBJECTS[name]
    rng = random.Random(name)
    refused = 0
    for number in range(MUTANTS):
        mutant = _mutant(content, rng)
        try:
            rows = parse(make(), mutant, names=["LOAD00000001.csv"]).rows[0]
        except RejectedFile as error:
            assert error.reason_code and str(error), f"mutant {number}"
            refused += 1
            continue
        assert [r["row_number"] for r in rows] == list(range(1, len(rows) + 1)), f"mutant {number}"
    assert 0 < refused < MUTANTS
