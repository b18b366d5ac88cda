"""Rows as a file of their feed: which feeds a connector can write, and the bytes it writes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from paymentor_assets.ingestion.connectors.interface import Row
from paymentor_assets.ingestion.contracts.model import FeedContract
from paymentor_assets.lenders import Lender
from resources.errors import ContractError

#: Formats that are lines of JSON; a document of theirs is one row here.
_JSON_FORMATS = frozenset({"json_lines", "aa_deposits"})


def refuse_unwritable(feed: str, contract: FeedContract, lender: Lender) -> None:
    """Raise ContractError for a feed that the lender does not have, or that cannot be written."""
    if feed not in lender.feeds:
        raise ContractError(
            f"A connector of {lender.lender_id} delivers {feed}, which is not among the lender's "
            f"feeds ({', '.join(lender.feeds)}); add it to the lender's contract."
        )
    if contract.encryption is not None or contract.compression != "none":
        raise ContractError(
            f"Feed {feed} of {lender.lender_id} is delivered sealed or compressed by its contract; "
            "a connector writes plain files, so give it a feed of its own."
        )
    if contract.format != "delimited" and contract.format not in _JSON_FORMATS:
        raise ContractError(
            f"A connector writes delimited files and lines of JSON; feed {feed} is "
            f"{contract.format}."
        )


def extension(contract: FeedContract) -> str:
    """How the names of the feed's files end."""
    return "jsonl" if contract.format in _JSON_FORMATS else "csv"


def file_content(contract: FeedContract, rows: Sequence[Row]) -> bytes:
    """Rows as a file of the feed: the same rows give the same bytes."""
    if contract.format in _JSON_FORMATS:
        lines = (json.dumps(row, sort_keys=True) + "\n" for row in rows)
        return "".join(lines).encode(contract.encoding)
    text = io.StringIO()
    writer = csv.writer(text, delimiter=contract.delimiter, lineterminator="\n")
    writer.writerow(contract.header)
    columns = [column.name for column in contract.records[0].delivered_columns]
    writer.writerows([row.get(name, "") for name in columns] for row in rows)
    # A character that the encoding lacks shows as its code, for the contract to judge; an error
    # would hold up every other row.
    return text.getvalue().encode(contract.encoding, errors="backslashreplace")
