"""All files of one feed through parser, contract and tokens, together, in DuckDB scratch.

Nothing here is durable except the vault, which only ever gains values. A file that cannot be
processed is refused or left for another try; it never takes the others with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from paymentor_assets.ingestion import checks, tokens
from paymentor_assets.ingestion.contracts.model import FeedContract
from paymentor_assets.ingestion.contracts.tables import REJECTED_ROWS, record_table
from paymentor_assets.ingestion.intake import IncomingFile
from paymentor_assets.ingestion.parsers import delimited, json_lines
from paymentor_assets.ingestion.parsers.aa_consents import stage_aa_consents
from paymentor_assets.ingestion.parsers.aa_deposits import stage_aa_deposits
from paymentor_assets.ingestion.parsers.lines import RECORD_SCHEMA, RecordReader
from paymentor_assets.ingestion.quarantine import rejected_rows
from paymentor_assets.lenders import Lender
from resources.clock import Clock, naive_utc
from resources.errors import RejectedFile
from resources.landing_zone import LandingZone
from resources.vault import Vault

#: Bytes of records that are handed to DuckDB at once.
_HANDOVER_BYTES = 32 << 20
#: Fewer rejected rows than this say nothing about a file as a whole, whatever share they are.
_TELLING_REJECTS = 3


@dataclass(frozen=True)
class Context:
    """What every feed of a run needs."""

    con: duckdb.DuckDBPyConnection
    landing: LandingZone
    vault: Vault
    lender: Lender
    clock: Clock


@dataclass
class BatchResult:
    """Rows for the lakehouse: accepted ones by table, and rejected ones."""

    accepted: dict[str, pa.Table] = field(default_factory=dict)
    rejected: pa.Table = field(default_factory=REJECTED_ROWS.schema.empty_table)


def process(
    context: Context,
    contract: FeedContract,
    files: Sequence[IncomingFile],
    known_consents: pa.Table | None,
) -> BatchResult:
    """Parse, check, tokenise; fills in status and counts of each file.

    When the batch as a whole fails, each file is tried alone, so that only the faulty ones stay
    behind (status `unfinished`, with the reason).
    """
    try:
        return _process_together(context, contract, files, known_consents)
    except (duckdb.Error, pa.ArrowException, OSError, ValueError) as error:
        if len(files) == 1:
            files[0].leave(f"could not be processed ({type(error).__name__}: {error})")
            return BatchResult()
    parts = []
    for file in files:
        file.status = None
        parts.append(process(context, contract, [file], known_consents))
    names = [record.table for record in contract.records]
    return BatchResult(
        {
            name: pa.concat_tables([p.accepted[name] for p in parts if name in p.accepted])
            for name in names
            if any(name in p.accepted for p in parts)
        },
        pa.concat_tables([p.rejected for p in parts]),
    )


def _process_together(
    context: Context,
    contract: FeedContract,
    files: Sequence[IncomingFile],
    known_consents: pa.Table | None,
) -> BatchResult:
    con = context.con
    for index, file in enumerate(files):
        file.file_index = index
    headers = _stage_records(context, contract, files)
    readable = [f for f in files if f.status is None]
    if not readable:
        return BatchResult()
    _register_files(con, readable)
    match contract.format:
        case "delimited":
            delimited.stage_delimited(con, contract, headers)
        case "aa_consents":
            stage_aa_consents(con, contract)
        case "aa_deposits":
            stage_aa_deposits(con, contract)
    tokens.stage_tokens(con, contract, context.vault, context.lender.lender_id)
    con.execute(checks.FAULTS_DDL)
    for index, record in enumerate(contract.records):
        checks.stage_typed(con, record, index)
        if contract.format == "aa_deposits" and index == 0:
            con.register("known_consents", known_consents)
            checks.reject_unknown_consents(con, index)
            con.unregister("known_consents")
        if index > 0:
            checks.reject_children(con, child=index, parent=0)
        checks.reject_repeated_keys(con, record, index)
    _count(con, contract, readable, context.lender.max_rejected_share)
    _register_files(con, readable)
    result = BatchResult()
    ingested_at = naive_utc(context.clock.now())
    for index, record in enumerate(contract.records):
        rows = checks.accepted_rows(
            con, record, index, lender_id=context.lender.lender_id, ingested_at=ingested_at
        )
        result.accepted[record.table] = rows.cast(record_table(record).schema)
        con.register(f"accepted_{index}", result.accepted[record.table])
    tokens.seal_accepted(con, contract, context.vault)
    for index in range(len(contract.records)):
        con.unregister(f"accepted_{index}")
    result.rejected = rejected_rows(
        con,
        contract,
        context.vault,
        lender_id=context.lender.lender_id,
        ingested_at=ingested_at,
    )
    return result


def _stage_records(
    context: Context, contract: FeedContract, files: Sequence[IncomingFile]
) -> dict[tuple[str, ...], list[int]]:
    """Table `records` of all readable files; returns the files by their order of columns."""
    con = context.con
    con.execute(
        "CREATE OR REPLACE TEMP TABLE records (file_index INTEGER, row_number BIGINT, "
        "record VARCHAR, original BLOB, is_utf8 BOOLEAN)"
    )
    headers: dict[tuple[str, ...], list[int]] = {}
    waiting: list[pa.RecordBatch] = []
    size = 0
    for file in files:
        try:
            batches, header = _read(context, contract, file)
        except RejectedFile as error:
            file.refuse(error)
            continue
        headers.setdefault(header, []).append(file.file_index)
        waiting += batches
        size += file.landed.size
        if size >= _HANDOVER_BYTES:
            _hand_over(con, waiting)
            waiting, size = [], 0
    _hand_over(con, waiting)
    return headers


def _read(
    context: Context, contract: FeedContract, file: IncomingFile
) -> tuple[list[pa.RecordBatch], tuple[str, ...]]:
    is_delimited = contract.format == "delimited"
    with context.landing.open(file.landed.uri) as stream:
        reader = RecordReader(
            stream, file.file_index, file.name, contract.delimiter if is_delimited else None
        )
        header: tuple[str, ...] = ()
        if is_delimited:
            header = delimited.read_header(reader, contract)
        else:
            reader.skip_bom()
        batches = list(reader.records())
    if reader.digest != file.file_id:
        raise OSError(f"{file.name} changed while it was being read")
    if is_delimited:
        delimited.check_ending(reader, len(header), contract.delimiter)
    else:
        json_lines.check_ending(reader, context.con)
    if reader.rows == 0 and not contract.may_be_empty:
        raise RejectedFile(
            "EMPTY_FILE",
            f"{file.name} has a header and no row, and feed {contract.feed} is never empty; "
            "deliver the file again, complete.",
        )
    return batches, header


def _hand_over(con: duckdb.DuckDBPyConnection, batches: list[pa.RecordBatch]) -> None:
    if not batches:
        return
    con.register("batch", pa.Table.from_batches(batches, RECORD_SCHEMA))
    con.execute("INSERT INTO records SELECT * FROM batch")
    con.unregister("batch")


def _register_files(con: duckdb.DuckDBPyConnection, files: Sequence[IncomingFile]) -> None:
    table = pa.table(
        {
            "file_index": pa.array([f.file_index for f in files], pa.int32()),
            "file_id": pa.array([f.file_id for f in files], pa.string()),
            "name": pa.array([f.name for f in files], pa.string()),
            "business_date": pa.array([f.landed.business_date for f in files], pa.date32()),
            "known_at": pa.array(
                [naive_utc(f.known_at) if f.known_at else None for f in files], pa.timestamp("us")
            ),
            "is_refused": pa.array([f.status == "rejected" for f in files]),
        }
    )
    con.register("files_now", table)
    con.execute("CREATE OR REPLACE TEMP TABLE files AS SELECT * FROM files_now")
    con.unregister("files_now")


def _count(
    con: duckdb.DuckDBPyConnection,
    contract: FeedContract,
    files: Sequence[IncomingFile],
    max_rejected_share: float,
) -> None:
    """Rows and rejects of each file; refuses a file with too many rejects."""
    staged = " UNION ALL ".join(
        f"SELECT file_index, {i} AS record_index, row_number FROM fields_{i}"
        for i in range(len(contract.records))
    )
    counts = {
        index: (total, rejected)
        for index, total, rejected in con.execute(
            f"""
            SELECT file_index, count(*), count(bad.row_number)
            FROM ({staged}) AS s
            LEFT JOIN (SELECT DISTINCT record_index, file_index, row_number FROM faults) AS bad
              USING (record_index, file_index, row_number)
            GROUP BY file_index
            """
        ).fetchall()
    }
    for file in files:
        total, rejected = counts.get(file.file_index, (0, 0))
        file.status = "ingested"
        file.rows_total, file.rows_rejected = total, rejected
        file.rows_accepted = total - rejected
        is_telling = rejected >= _TELLING_REJECTS or max_rejected_share == 0
        if is_telling and rejected > max_rejected_share * total:
            first = con.execute(
                "SELECT reason_code, count(*) FROM faults WHERE file_index = ? GROUP BY 1 "
                "ORDER BY 2 DESC, 1 LIMIT 1",
                [file.file_index],
            ).fetchone()
            file.refuse(
                RejectedFile(
                    "TOO_MANY_REJECTED",
                    f"{file.name}: {rejected} of {total} rows break the contract (most often "
                    f"{first[0] if first else 'unknown'}), more than the {max_rejected_share:.0%} "
                    "the lender's contract allows; nothing of the file was taken.",
                )
            )
