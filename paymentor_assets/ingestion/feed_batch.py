"""Files of one feed through parser, contract and tokens, chunk by chunk, in DuckDB scratch.

Nothing here is durable except the vault, which only ever gains values. A file that cannot be
processed is refused or left for another try; it never takes the others with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import duckdb
import pyarrow as pa

from paymentor_assets.ingestion import checks, file_checks, tokens
from paymentor_assets.ingestion.aa_crypto import KeyRing
from paymentor_assets.ingestion.chunks import Chunk, read_chunks
from paymentor_assets.ingestion.consents.facts import ConsentFacts, judge
from paymentor_assets.ingestion.contracts.model import FeedContract
from paymentor_assets.ingestion.contracts.tables import raw_tables
from paymentor_assets.ingestion.intake import IncomingFile
from paymentor_assets.ingestion.parsers.formats import parser_for
from paymentor_assets.ingestion.parsers.interface import Parser
from paymentor_assets.ingestion.plain_bytes import plain_bytes
from paymentor_assets.ingestion.quarantine import rejected_rows
from paymentor_assets.ingestion.takings import Takings
from paymentor_assets.lenders import Lender
from resources.clock import Clock, naive_utc
from resources.landing_zone import LandingZone
from resources.openpgp import PgpKeys, decrypt
from resources.vault import Vault

#: What a file can do to the libraries that read it; anything else is a fault of ours.
_FAULTS_OF_DATA = (duckdb.Error, pa.ArrowException, OSError, ValueError)


@dataclass(frozen=True)
class Context:
    """What every feed of a run needs. `scratch` is a folder that only this run can read; without
    `session_keys` encrypted Account Aggregator payloads are rejected."""

    con: duckdb.DuckDBPyConnection
    landing: LandingZone
    vault: Vault
    pgp_keys: Callable[[str], PgpKeys]
    lender: Lender
    clock: Clock
    scratch: Path
    session_keys: KeyRing | None = None


def process(
    context: Context,
    contract: FeedContract,
    files: Sequence[IncomingFile],
    takings: Takings,
    consents: ConsentFacts | None = None,
    report: Callable[[int], None] = lambda done: None,
) -> None:
    """Parse, check and tokenise; puts rows into `takings`, status and counts into each file.

    `report` hears how many of the files are done.

    When a chunk of several files fails, each of them is tried alone, so that only the faulty ones
    stay behind (status `unfinished`, with the reason).
    """
    for index, file in enumerate(files):
        file.file_index = index
    if consents is not None:
        consents.register(context.con)
    tokens.define_macros(context.con, contract, context.vault, context.lender.lender_id)
    parser = parser_for(contract, context.session_keys)
    again: list[IncomingFile] = []
    opened = partial(_opened, context, contract)
    for chunk in read_chunks(parser, files, opened, context.scratch):
        first = chunk.files[0]
        if chunk.is_first and not chunk.is_last:
            takings.mark()
        try:
            if first.status is None:
                _take(context, contract, parser, chunk, takings)
        except _FAULTS_OF_DATA as error:
            if len(chunk.files) == 1:
                first.leave(f"could not be processed ({type(error).__name__}: {error})")
            else:
                for file in chunk.files:
                    file.start_over()
                again += chunk.files
        if not chunk.is_whole and chunk.is_last and first.status != "ingested":
            takings.undo()
        report(sum(file.status is not None for file in files))
    for file in again:
        process(context, contract, [file], takings, consents)


@contextmanager
def _opened(context: Context, contract: FeedContract, file: IncomingFile) -> Iterator[BinaryIO]:
    def decrypted(sealed: BinaryIO, target: Path) -> None:
        decrypt(
            sealed,
            file.name,
            context.pgp_keys(context.lender.lender_id),
            target,
            must_be_signed=contract.encryption is None or contract.encryption.must_be_signed,
            now=context.clock.now(),
        )

    with plain_bytes(
        context.landing.open(file.landed.uri),
        contract,
        name=file.name,
        size=file.landed.size,
        file_id=file.file_id,
        scratch=context.scratch,
        decrypt=decrypted,
    ) as stream:
        yield stream


def _take(
    context: Context, contract: FeedContract, parser: Parser, chunk: Chunk, takings: Takings
) -> None:
    con, lender = context.con, context.lender
    chunk.register(con, parser)
    _register_files(con, chunk.files)
    parser.stage(con)
    con.execute(checks.FAULTS_DDL)
    for index, record in enumerate(contract.records):
        checks.stage_typed(con, record, index, zone=lender.zone)
    judge(con, contract, zone=lender.zone)
    for index, record in enumerate(contract.records):
        if index > 0:
            checks.reject_children(con, child=index, parent=0)
        checks.reject_repeated_keys(con, record, index, is_first=chunk.is_first)
    file_checks.count(con, contract, chunk.files)
    if chunk.is_last:
        for file in chunk.files:
            file_checks.decide(file, contract, lender)
        _register_files(con, chunk.files)
    ingested_at = naive_utc(context.clock.now())
    accepted: dict[str, pa.Table] = {}
    for index, record in enumerate(contract.records):
        accepted[record.table] = checks.accepted_rows(
            con,
            record,
            index,
            schema=raw_tables()[record.table].schema,
            lender_id=lender.lender_id,
            ingested_at=ingested_at,
        )
    tokens.keep_values(con, contract, is_first=chunk.is_first)
    rejected = None
    if any(f.faults or f.status == "rejected" for f in chunk.files):
        rejected = rejected_rows(
            con,
            contract,
            parser,
            context.vault,
            lender_id=lender.lender_id,
            ingested_at=ingested_at,
        )
    if chunk.is_last and any(file.status == "ingested" for file in chunk.files):
        tokens.seal_accepted(con, context.vault)
    for table, rows in accepted.items():
        takings.accept(table, rows)
    if rejected is not None:
        takings.reject(rejected)


def _register_files(con: duckdb.DuckDBPyConnection, files: Sequence[IncomingFile]) -> None:
    table = pa.table(
        {
            "file_index": pa.array([f.file_index for f in files], pa.int32()),
            "file_id": pa.array([f.file_id for f in files], pa.string()),
            "name": pa.array([f.name for f in files], pa.string()),
            "business_date": pa.array([f.business_date for f in files], pa.date32()),
            "known_at": pa.array(
                [naive_utc(f.known_at) if f.known_at else None for f in files], pa.timestamp("us")
            ),
            "is_refused": pa.array([f.status == "rejected" for f in files]),
        }
    )
    con.register("files_now", table)
    con.execute("CREATE OR REPLACE TEMP TABLE files AS SELECT * FROM files_now")
    con.unregister("files_now")
