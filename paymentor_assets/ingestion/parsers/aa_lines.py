"""Account Aggregator data as JSON lines: one linked account a line, plain or encrypted.

An encrypted line has `encryptedFI`, `KeyMaterial` and `ourNonce` where a plain one has `account`;
what is decrypted may be JSON or XML. Plaintext stays in memory: what is kept of a rejected line
are its bytes as delivered.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import orjson
from lxml import etree

from paymentor_assets.ingestion.aa_crypto import KeyRing, open_payload
from paymentor_assets.ingestion.parsers.aa_documents import AccountDocument, document_of
from paymentor_assets.ingestion.parsers.aa_xml import account_of_xml
from paymentor_assets.ingestion.parsers.interface import Source
from paymentor_assets.ingestion.parsers.lines import BOM, MAX_RECORD_BYTES
from resources.errors import DecryptionError, RejectedFile

_BLOCK_BYTES = 1 << 20


def read_lines(source: Source, keys: KeyRing | None) -> Iterator[AccountDocument]:
    """The accounts of a file; blank lines are none.

    Raises RejectedFile: TRUNCATED_FILE when the last line has no newline and is not JSON,
    RECORD_TOO_LONG for a line of more than MAX_RECORD_BYTES.
    """
    count = 0
    for line, is_terminated in _lines(source):
        if content := line.rstrip(b"\r"):
            count += 1
            document = _document(content, keys)
            if not is_terminated and document.error in ("BAD_JSON", "NOT_UTF8"):
                raise RejectedFile(
                    "TRUNCATED_FILE",
                    f"{source.name}, line {count}: the file ends in the middle of the "
                    "line; deliver it again, complete.",
                )
            yield document


def _lines(source: Source) -> Iterator[tuple[bytes, bool]]:
    """Lines, and whether a newline ended them. The scanner of delimited text would look at each
    byte again; here a line is whatever JSON makes of it."""
    carry, is_first = b"", True
    while block := source.stream.read(_BLOCK_BYTES):
        if is_first:
            block, is_first = block.removeprefix(BOM), False
        *whole, carry = (carry + block).split(b"\n")
        for line in whole:
            yield line, True
        if len(carry) > MAX_RECORD_BYTES:
            raise RejectedFile(
                "RECORD_TOO_LONG",
                f"{source.name}: a line is longer than {MAX_RECORD_BYTES >> 20} MiB; split the "
                "transactions of the account over several fetches.",
            )
    if carry:
        yield carry, False


def _document(line: bytes, keys: KeyRing | None) -> AccountDocument:
    try:
        envelope = orjson.loads(line)
    except orjson.JSONDecodeError:
        return AccountDocument(line, error="BAD_JSON" if _is_utf8(line) else "NOT_UTF8")
    if not isinstance(envelope, dict):
        return AccountDocument(line, error="BAD_JSON")
    if "encryptedFI" in envelope:
        try:
            envelope["account"] = _decrypted(envelope, keys)
        except DecryptionError as error:
            return AccountDocument(line, envelope, error=error.reason_code)
    return document_of(line, envelope)


def _decrypted(envelope: dict[str, Any], keys: KeyRing | None) -> dict[str, Any]:
    """The account inside; raises DecryptionError, which never quotes what it could not read."""
    plain = open_payload(envelope, keys)
    account: Any = None
    with suppress(orjson.JSONDecodeError, etree.XMLSyntaxError, RejectedFile):
        is_xml = plain.lstrip().startswith(b"<")
        account = account_of_xml(plain) if is_xml else orjson.loads(plain)
    if isinstance(account, dict) and isinstance(account.get("account"), dict):
        account = account["account"]
    if not isinstance(account, dict):
        raise DecryptionError("DECRYPTION_FAILED", "What was decrypted is no account.")
    return account


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
