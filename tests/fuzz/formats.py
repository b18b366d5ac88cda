"""What is fuzzed, and how often: for each format a sound file, a second way of counting its rows,
and what is done to it.

A new format is one more entry of `FORMATS`, and its share of the mutants. A contract that is not
the platform's belongs to one of the lenders that write their files their own way.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from paymentor_assets.ingestion.contracts.book import load_feeds
from paymentor_assets.ingestion.contracts.model import Encryption, FeedContract
from tests.fuzz import mutations as m
from tests.fuzz import reference as r
from tests.fuzz import sound_files as sound
from tests.support import metro2_files, tudf_files
from tests.support.aa_documents import as_xml
from tests.support.landing_house import as_csv, as_lines, consent, deposit


@dataclass(frozen=True)
class Fuzzed:
    """One way in which files are written.

    `plain` is a sound file before it is packed, `packed` how it is delivered and `unpacked` the way
    back; mutations happen before packing, and now and then after it. `head` of its bytes say what
    the file is (a line of names, a header record). `count` is the reference. The files are those of
    `lender_id`, whose contract of the feed differs from the platform's in `changes`.
    """

    feed: str
    plain: bytes
    count: Callable[[bytes], int]
    mutations: Sequence[m.Mutation]
    mutants: int
    lender_id: str = "meridian"
    changes: Mapping[str, Any] = field(default_factory=dict)
    head: int = 0
    packed: Callable[[bytes], bytes] = bytes
    unpacked: Callable[[bytes], bytes] = bytes
    extension: str = "csv"

    @property
    def contract(self) -> FeedContract:
        """The contract that holds for these files."""
        return load_feeds()[self.feed].model_copy(update=dict(self.changes))

    @property
    def sound(self) -> bytes:
        """A sound file as delivered."""
        return self.packed(self.plain)


_PORTFOLIO, _PIPES = sound.PORTFOLIO, sound.PIPES
_CHANGES = as_csv(sound.changes(6))
_CSV = Fuzzed(
    "payments",
    sound.PAYMENTS,
    r.rows_of_csv,
    m.delimited(),
    1480,
    head=sound.first_line(sound.PAYMENTS),
)
_CHANGE_LOG = Fuzzed(
    "portfolio_changes",
    _CHANGES,
    r.rows_of_change_log,
    m.delimited(),
    400,
    head=sound.first_line(_CHANGES),
)
_PARQUET = replace(
    _CSV,
    count=r.rows_of_parquet,
    mutants=500,
    lender_id="westbank",
    changes={"format": "parquet"},
    packed=sound.typed_parquet,
    extension="parquet",
)
_DEPOSITS = Fuzzed(
    "aa_deposits",
    as_lines(deposit(1), deposit(2)),
    r.rows_of_deposits,
    m.JSON,
    1000,
    extension="jsonl",
)
#: Most mutants would fall at the trailer, and never come to the records; so it is not checked.
_METRO2 = Fuzzed(
    "bureau_metro2",
    metro2_files.lines(*sound.METRO2),
    r.rows_of_metro2,
    m.FIXED,
    250,
    "northstar",
    {"trailer": "ignored"},
    head=427,
    extension="dat",
)

FORMATS: Mapping[str, Fuzzed] = {
    "payments": _CSV,
    "portfolio": replace(
        _CSV, feed="portfolio", plain=_PORTFOLIO, head=sound.first_line(_PORTFOLIO), mutants=700
    ),
    "gzip": replace(
        _CSV,
        mutants=500,
        lender_id="northstar",
        changes={"compression": "gzip"},
        packed=lambda content: gzip.compress(content, mtime=0),
        unpacked=gzip.decompress,
        extension="csv.gz",
    ),
    "zip": replace(
        _CSV,
        mutants=500,
        lender_id="southgate",
        changes={"compression": "zip"},
        packed=sound.zipped,
        unpacked=sound.unzipped,
        extension="zip",
    ),
    "openpgp": replace(
        _CSV,
        # Each is opened in a process of its own.
        mutants=20,
        lender_id="sealbank",
        changes={"encryption": Encryption(type="openpgp")},
        packed=sound.pgp_sealed,
        unpacked=sound.pgp_opened,
        extension="csv.pgp",
    ),
    "utf-16": replace(
        _CSV,
        mutants=400,
        lender_id="eastbank",
        changes={"encoding": "utf-16"},
        **sound.in_encoding("utf-16"),
    ),
    "latin-1 and pipes": Fuzzed(
        "portfolio",
        _PIPES,
        lambda content: r.rows_of_csv(content, "|"),
        m.delimited("|"),
        400,
        "northstar",
        {"encoding": "latin-1", "delimiter": "|"},
        head=sound.first_line(_PIPES),
        **sound.in_encoding("latin-1"),
    ),
    "consents": Fuzzed(
        "aa_consents",
        as_lines(*(consent(i) for i in range(1, 5))),
        r.rows_of_lines,
        m.JSON,
        800,
        extension="jsonl",
    ),
    "deposits": _DEPOSITS,
    "deposits as xml": replace(
        _DEPOSITS,
        plain=as_xml(deposit(1), deposit(2)),
        count=r.rows_of_xml,
        mutations=m.XML,
        mutants=700,
        head=0,
        extension="xml",
    ),
    "deposits, encrypted": replace(
        _DEPOSITS,
        plain=as_lines(sound.sealed_deposit(1), sound.sealed_deposit(2)),
        count=r.rows_of_lines,
        mutants=200,
    ),
    "parquet of types": _PARQUET,
    "parquet in groups": replace(
        _PARQUET,
        feed="portfolio",
        plain=sound.parquet(sound.ROWS, compression="none", row_group_size=2),
        mutations=m.INDEXED,
        head=0,
        packed=bytes,
        mutants=200,
    ),
    "changes": _CHANGE_LOG,
    "changes without names": replace(
        _CHANGE_LOG, plain=_CHANGES[_CHANGE_LOG.head :], head=0, mutants=200
    ),
    "changes as parquet": replace(
        _CHANGE_LOG, packed=sound.typed_parquet, mutants=200, extension="parquet"
    ),
    "do not call": Fuzzed(
        "us_dnc_list",
        sound.do_not_call(30),
        r.rows_of_lines,
        m.delimited(),
        200,
        "eastbank",
        {"max_rejected_share": 1.0},
    ),
    "do not call, changes": Fuzzed(
        "us_dnc_changes",
        sound.do_not_call(20, b",2026-06-01,A"),
        r.rows_of_lines,
        m.delimited(),
        300,
    ),
    "metro 2 in lines": _METRO2,
    "metro 2, fixed": replace(
        _METRO2, plain=metro2_files.fixed(*sound.METRO2), head=906, mutants=150
    ),
    "metro 2, variable": replace(
        _METRO2, plain=metro2_files.variable(*sound.METRO2, per_block=2), head=430, mutants=150
    ),
    "metro 2, packed": replace(
        _METRO2,
        plain=metro2_files.packed(*sound.METRO2_ALONE),
        count=r.records_of_metro2,
        head=370,
        mutants=150,
    ),
    "metro 2, decimals": replace(
        _METRO2,
        plain=metro2_files.packed(*sound.METRO2_ALONE, decimals=True),
        count=r.records_of_metro2,
        head=370,
        mutants=100,
    ),
    "metro 2 with its trailer": replace(_METRO2, lender_id="meridian", changes={}, mutants=200),
    "tudf": Fuzzed(
        "bureau_tudf",
        tudf_files.tudf(*sound.TUDF, between=b"\r\n"),
        r.rows_of_tudf,
        m.FIXED,
        300,
        head=len(tudf_files.HEADER),
        extension="tap",
    ),
}
