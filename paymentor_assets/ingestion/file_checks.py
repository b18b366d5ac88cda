"""What a file as a whole must keep to: rows at all, rows within bounds, not too many bad ones."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from paymentor_assets.ingestion.contracts.model import FeedContract
from paymentor_assets.ingestion.intake import IncomingFile
from paymentor_assets.lenders import Lender
from resources.errors import RejectedFile

#: Fewer rejected rows than this say nothing about a file as a whole, whatever share they are.
_TELLING_REJECTS = 3


def count(
    con: duckdb.DuckDBPyConnection, contract: FeedContract, files: Sequence[IncomingFile]
) -> None:
    """Add the rows and rejects at hand (`fields_<i>`, `faults`) to what the files counted."""
    staged = " UNION ALL ".join(
        f"SELECT file_index, {i} AS record_index, row_number FROM fields_{i}"
        for i in range(len(contract.records))
    )
    by_index = {file.file_index: file for file in files}
    for index, total, rejected in con.execute(
        f"""
        SELECT file_index, count(*), count(bad.row_number)
        FROM ({staged}) AS s
        LEFT JOIN (SELECT DISTINCT record_index, file_index, row_number FROM faults) AS bad
          USING (record_index, file_index, row_number)
        GROUP BY file_index
        """
    ).fetchall():
        file = by_index[index]
        file.rows_total += total
        file.rows_rejected += rejected
        file.rows_accepted += total - rejected
    for index, reason, faults in con.execute(
        "SELECT file_index, reason_code, count(*) FROM faults GROUP BY ALL"
    ).fetchall():
        by_index[index].faults[reason] += faults


def decide(file: IncomingFile, contract: FeedContract, lender: Lender) -> None:
    """Take the file, or refuse it as a whole, now that all its rows are counted."""
    file.status = "ingested"
    try:
        _check(file, contract, lender)
    except RejectedFile as error:
        file.refuse(error)


def _check(file: IncomingFile, contract: FeedContract, lender: Lender) -> None:
    total, rejected = file.rows_total, file.rows_rejected
    if total == 0 and not contract.may_be_empty:
        raise RejectedFile(
            "EMPTY_FILE",
            f"{file.name} has a header and no row, and feed {contract.feed} is never empty; "
            "deliver the file again, complete.",
        )
    least, most = contract.min_rows, contract.max_rows
    if (least is not None and total < least) or (most is not None and total > most):
        bounds = " and ".join(
            text
            for text in (
                None if least is None else f"at least {least}",
                None if most is None else f"at most {most}",
            )
            if text
        )
        raise RejectedFile(
            "ROW_COUNT_OUT_OF_BOUNDS",
            f"{file.name} has {total} rows, and the contract of feed {contract.feed} expects "
            f"{bounds}; deliver it again, complete, or correct the contract.",
        )
    limit = lender.max_rejected_share
    if contract.max_rejected_share is not None:
        limit = contract.max_rejected_share
    is_telling = rejected >= _TELLING_REJECTS or limit == 0
    if is_telling and rejected > limit * total:
        reason = min(file.faults, key=lambda r: (-file.faults[r], r))
        raise RejectedFile(
            "TOO_MANY_REJECTED",
            f"{file.name}: {rejected} of {total} rows break the contract (most often {reason}), "
            f"more than the {limit:.0%} the lender's contract allows; nothing of the file was "
            "taken.",
        )
