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
import pyarrow as pa
from lxml import etree

from paymentor_assets.ingestion.aa_crypto import KeyRing, open_payload
from paymentor_assets.ingestion.parsers.aa_documents import AccountDocument, document_of
from paymentor_assets.ingestion.parsers.aa_xml import account_of_xml
from paymentor_assets.ingestion.parsers.interface import Source
from paymentor_assets.ingestion.parsers.json_lines import json_lines_of
from resources.errors import DecryptionError, RejectedFile


def read_lines(source: Source, keys: KeyRing | None) -> Iterator[AccountDocument]:
    """The accounts of a file; raises RejectedFile as `json_lines_of` does."""
    for batch in json_lines_of(source):
        lines = batch.column("record").cast(pa.large_binary())
        originals = batch.column("original")
        are_utf8 = batch.column("is_utf8")
        for i in range(batch.num_rows):
            line = lines[i].as_py()
            if not are_utf8[i].as_py():
                yield AccountDocument(originals[i].as_py().rstrip(b"\r\n"), error="NOT_UTF8")
            else:
                yield _document(line, keys)


def _document(line: bytes, keys: KeyRing | None) -> AccountDocument:
    try:
        envelope = orjson.loads(line)
    except orjson.JSONDecodeError:
        return AccountDocument(line, error="BAD_JSON")
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
