"""What both spellings of Account Aggregator data have in common: one account as a document.

A document has the shape of the JSON form (ReBIT deposit v2.0.0): the envelope's members beside
`account`. XML is brought to it in `aa_xml`, encrypted payloads in `aa_lines`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

#: ReBIT schemas that are read: v1.1 and v1.2 (retired in July 2025, still delivered) and v2.0.0.
_KNOWN_VERSIONS = re.compile(r"1\.[0-2](\.\d)?|2\.0(\.0)?")


@dataclass(slots=True)
class AccountDocument:
    """One record of a file: an account with its transactions, or what stands in its place.

    `original` are its bytes as delivered. With an `error` (a reason code) there may be no
    `envelope`; `transactions` are counted whatever became of the account.
    """

    original: bytes
    envelope: dict[str, Any] | None = None
    transactions: list[Any] | tuple[()] = ()
    error: str | None = None
    fault_column: str | None = None


def document_of(original: bytes, envelope: dict[str, Any]) -> AccountDocument:
    """The account of an envelope, its transactions beside it, its version looked at.

    Takes the transactions out of `envelope`, and spells the type of account as the consent
    artefact does (`term-deposit` is TERM_DEPOSIT).
    """
    account = envelope.get("account")
    if not isinstance(account, dict):
        return AccountDocument(original, envelope, error="UNKNOWN_VERSION",
                               fault_column="schema_version")  # fmt: skip
    transactions: list[Any] | tuple[()] = ()
    listed = account.get("transactions")
    if isinstance(listed, dict):
        found = listed.pop("transaction", None)
        if isinstance(found, list):
            transactions = found
        elif isinstance(found, dict):
            transactions = [found]
    kind = account.get("type")
    if isinstance(kind, str):
        account["type"] = kind.strip().upper().replace("-", "_")
    version = account.get("version")
    if not isinstance(version, str) or _KNOWN_VERSIONS.fullmatch(version.strip()) is None:
        return AccountDocument(
            original, envelope, transactions, "UNKNOWN_VERSION", "schema_version"
        )
    return AccountDocument(original, envelope, transactions)
