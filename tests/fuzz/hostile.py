"""Files made by somebody who means harm, or by a broken machine, each with what must become of it.

`INGESTED` means that the file is read to its end: its bad rows are rejected, the others taken.
"""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache

import pysequoia

from resources.openpgp import PgpKeys
from tests.fuzz import sound_files as sound
from tests.fuzz.formats import FORMATS
from tests.fuzz.mutations import ENTITY_BOMB, EXTERNAL_ENTITY, MEBIBYTE
from tests.support.aa_documents import as_xml
from tests.support.landing_house import NOW, as_lines, deposit, transaction

INGESTED, RECORD, XML_REFUSED = "ingested", "RECORD_TOO_LONG", "XML_ENTITIES_REFUSED"


@dataclass(frozen=True)
class Hostile:
    """One file of a format, and its outcome: a reason code or `INGESTED`. `keys` and `now` are what
    the platform has and when it is, where that matters."""

    format: str
    make: Callable[[], bytes]
    outcome: str
    keys: Callable[[], PgpKeys] = sound.pgp_keys
    now: datetime = NOW


def _row(cell: bytes, ending: bytes = b"\n") -> bytes:
    """The payments file with one more row, of which one value is given."""
    rest = b",C1,2026-06-30,2026-06-30T08:30:00Z,1,INR,upi,success" + ending
    return sound.PAYMENTS + b"P99," + cell + rest


def _repeated(block: bytes, times: int) -> bytes:
    """A gzip file of many members, which costs nothing to make."""
    return gzip.compress(block) * times


def _zip(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def _locked(archive: bytes) -> bytes:
    """The same archive, saying that it needs a password."""
    changed = bytearray(archive)
    changed[6] |= 1
    changed[archive.index(b"PK\x01\x02") + 8] |= 1
    return bytes(changed)


def _xml(before: bytes = b"", within: bytes = b"") -> bytes:
    head, _, body = FORMATS["deposits as xml"].plain.partition(b"?>")
    return head + b"?>" + before + body.replace(b"</FIData>", within + b"</FIData>")


def _signed_by_a_stranger() -> bytes:
    return sound.pgp_sealed(sound.PAYMENTS, signer=pysequoia.Tsk.generate("Stranger"))


def _sealed(recipient: pysequoia.Tsk, *, is_signed: bool = True) -> bytes:
    signer = sound.pgp_parties()[1].signer() if is_signed else None
    to = [recipient.extract_certificate()]
    return bytes(pysequoia.encrypt(recipients=to, signer=signer, bytes=sound.PAYMENTS, armor=False))


@cache
def _expiring() -> pysequoia.Tsk:
    return pysequoia.Tsk.generate("Short-lived", validity_seconds=3600)


def _signed_by_an_expiring_key() -> bytes:
    return sound.pgp_sealed(sound.PAYMENTS, signer=_expiring())


def _with_our_expiring_key() -> PgpKeys:
    keys = sound.pgp_keys()
    return replace(keys, secret_keys=(*keys.secret_keys, bytes(_expiring())))


def _with_their_expiring_key() -> PgpKeys:
    certificate = str(_expiring().extract_certificate()).encode()
    return replace(sound.pgp_keys(), certificates=(certificate,))


_TEN_MEBIBYTES = 10 * MEBIBYTE
_AFTER_THE_EXPIRY = datetime.now(UTC) + timedelta(days=2)
_QUADRATIC = b'<!DOCTYPE r [<!ENTITY l10 "' + b"x" * 50_000 + b'">]>'

HOSTILE: Mapping[str, Hostile] = {
    "a field of 10 MiB": Hostile("payments", lambda: _row(b"x" * _TEN_MEBIBYTES), RECORD),
    "a field of 3 MiB": Hostile("payments", lambda: _row(b"x" * 3 * MEBIBYTE), INGESTED),
    "a quoted field of 10 MiB": Hostile(
        "payments", lambda: _row(b'"' + b"x\n" * (_TEN_MEBIBYTES // 2) + b'"'), RECORD
    ),
    "a quoted field of 3 MiB": Hostile(
        "payments", lambda: _row(b'"' + b"x\n" * MEBIBYTE + b'"'), INGESTED
    ),
    "a long last row without end": Hostile("payments", lambda: _row(b"x" * 200_000, b""), INGESTED),
    "a header of 10 MiB": Hostile(
        "payments", lambda: b"x" * _TEN_MEBIBYTES + sound.PAYMENTS, "HEADER_MISMATCH"
    ),
    "a million columns": Hostile("payments", lambda: _row(b"," * 1_000_000), INGESTED),
    "a million blank lines": Hostile(
        "payments", lambda: sound.PAYMENTS + b"\n" * 1_000_000, INGESTED
    ),
    "120,000 rows of one letter": Hostile(
        "payments", lambda: sound.PAYMENTS + b"x\n" * 120_000, INGESTED
    ),
    "a second header": Hostile(
        "payments", lambda: sound.PAYMENTS + sound.PAYMENTS.partition(b"\n")[0] + b"\n", INGESTED
    ),
    "a byte order mark": Hostile("payments", lambda: b"\xef\xbb\xbf" + sound.PAYMENTS, INGESTED),
    "text of another encoding": Hostile(
        "payments", lambda: sound.PAYMENTS.decode().encode("utf-16"), "HEADER_MISMATCH"
    ),
    "a bomb of nothing": Hostile(
        "gzip",
        lambda: gzip.compress(sound.PAYMENTS) + _repeated(bytes(4 * MEBIBYTE), 30),
        RECORD,
    ),
    "a bomb of blank lines": Hostile(
        "gzip",
        lambda: gzip.compress(sound.PAYMENTS) + _repeated(b"\n" * 4 * MEBIBYTE, 30),
        "ARCHIVE_BOMB",
    ),
    "an archive in an archive": Hostile(
        "gzip", lambda: gzip.compress(gzip.compress(sound.PAYMENTS)), "HEADER_MISMATCH"
    ),
    "half an archive": Hostile("gzip", lambda: gzip.compress(sound.PAYMENTS)[:-9], "BAD_ARCHIVE"),
    "a zip bomb": Hostile(
        "zip", lambda: _zip({"x": sound.PAYMENTS + b"\n" * 120 * MEBIBYTE}), "ARCHIVE_BOMB"
    ),
    "a zip of another method": Hostile(
        "zip", lambda: _zip({"x": sound.PAYMENTS}, zipfile.ZIP_LZMA), "BAD_ARCHIVE"
    ),
    "a name outside": Hostile("zip", lambda: _zip({"../../x": sound.PAYMENTS}), "BAD_ARCHIVE"),
    "an absolute name": Hostile("zip", lambda: _zip({"/etc/passwd": b"x"}), "BAD_ARCHIVE"),
    "a name of another system": Hostile("zip", lambda: _zip({"c:\\x": b"x"}), "BAD_ARCHIVE"),
    "two files in one": Hostile("zip", lambda: _zip({"a": b"x", "b": b"x"}), "BAD_ARCHIVE"),
    "ten thousand files in one": Hostile(
        "zip", lambda: _zip({f"{i:06}" * 40: b"" for i in range(10_000)}), "BAD_ARCHIVE"
    ),
    "a locked archive": Hostile("zip", lambda: _locked(_zip({"x": b"x"})), "BAD_ARCHIVE"),
    "a bomb of entities": Hostile("deposits as xml", lambda: _xml(ENTITY_BOMB), XML_REFUSED),
    "a bomb of one entity": Hostile(
        "deposits as xml",
        lambda: _xml(_QUADRATIC, b"<a>" + b"&l10;" * 50_000 + b"</a>"),
        XML_REFUSED,
    ),
    "an entity of another file": Hostile(
        "deposits as xml", lambda: _xml(EXTERNAL_ENTITY), XML_REFUSED
    ),
    "entities behind comments": Hostile(
        "deposits as xml", lambda: _xml(b"<!-- -->\n" * 1000 + ENTITY_BOMB), XML_REFUSED
    ),
    "an inclusion": Hostile(
        "deposits as xml",
        lambda: _xml(b"", b'<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="/etc/x"/>'),
        INGESTED,
    ),
    "elements within elements": Hostile(
        "deposits as xml", lambda: _xml(b"", b"<a>" * 100_000 + b"</a>" * 100_000), "UNREADABLE"
    ),
    "an attribute of 9 MiB": Hostile(
        "deposits as xml", lambda: _xml(b"", b'<FI a="' + b"x" * 9 * MEBIBYTE + b'"/>'), RECORD
    ),
    "transactions without a consent": Hostile(
        "deposits", lambda: as_lines(deposit(9, [transaction()] * 3_000)), INGESTED
    ),
    "transactions without a consent, as xml": Hostile(
        "deposits as xml", lambda: as_xml(deposit(9, [transaction()] * 3_000)), INGESTED
    ),
    "transactions that are none": Hostile(
        "deposits", lambda: as_lines(deposit(1, [1] * 40_000)), INGESTED
    ),
    "more transactions than there can be": Hostile(
        "deposits", lambda: as_lines(deposit(1, [1] * 1_000_000)), RECORD
    ),
    "lists within lists": Hostile(
        "deposits",
        lambda: FORMATS["deposits"].plain + b"[" * 1_000_000 + b"]" * 1_000_000 + b"\n",
        INGESTED,
    ),
    "objects within objects": Hostile(
        "consents",
        lambda: FORMATS["consents"].plain + b'{"a":' * 500_000 + b"1" + b"}" * 500_000 + b"\n",
        INGESTED,
    ),
    "a line of 10 MiB": Hostile(
        "consents", lambda: b'{"consentId":"' + b"x" * _TEN_MEBIBYTES + b'"}\n', RECORD
    ),
    "a person of 900 accounts": Hostile(
        "tudf",
        lambda: FORMATS["tudf"].plain.replace(b"ES02**", b"TL04T001" * 900 + b"ES02**", 1),
        INGESTED,
    ),
    "a subject of 3 MiB": Hostile(
        "tudf", lambda: FORMATS["tudf"].plain.replace(b"ES02**", b"x" * 3 * MEBIBYTE, 1), INGESTED
    ),
    "a subject of 10 MiB": Hostile(
        "tudf", lambda: FORMATS["tudf"].plain.replace(b"ES02**", b"x" * _TEN_MEBIBYTES, 1), RECORD
    ),
    "no signature": Hostile(
        "openpgp", lambda: _sealed(sound.pgp_parties()[0], is_signed=False), "UNSIGNED_FILE"
    ),
    "the signature of a stranger": Hostile("openpgp", _signed_by_a_stranger, "BAD_SIGNATURE"),
    "the key of somebody else": Hostile("openpgp", lambda: _sealed(_expiring()), "WRONG_KEY"),
    "an expired key of ours": Hostile(
        "openpgp",
        lambda: _sealed(_expiring()),
        "EXPIRED_KEY",
        _with_our_expiring_key,
        _AFTER_THE_EXPIRY,
    ),
    "an expired key of theirs": Hostile(
        "openpgp",
        _signed_by_an_expiring_key,
        "EXPIRED_KEY",
        _with_their_expiring_key,
        _AFTER_THE_EXPIRY,
    ),
    "no encryption": Hostile("openpgp", lambda: sound.PAYMENTS, "NOT_ENCRYPTED"),
    "half of what was sealed": Hostile(
        "openpgp", lambda: sound.pgp_sealed(sound.PAYMENTS)[:-40], "CORRUPT_FILE"
    ),
}
