"""Sound files of every format, and how they are packed: what the mutants are mutants of."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pysequoia
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from paymentor_assets.ingestion.aa_crypto import encrypt
from paymentor_assets.ingestion.contracts.book import load_feeds
from resources.errors import NotFound
from resources.openpgp import PgpKeys
from tests.support import metro2_files, tudf_files
from tests.support.landing_house import as_csv, deposit, payment_row, portfolio_row

ROWS = [portfolio_row(i, city='Pu\nne, "x"' if i == 2 else "Pune") for i in range(1, 5)]
PAYMENTS = as_csv([payment_row(i) for i in range(1, 9)])
PORTFOLIO = as_csv(ROWS)
PIPES = as_csv([portfolio_row(i, city='Pu"né, x') for i in range(1, 5)], "|")
METRO2 = [
    metro2_files.good(account_number="A1"),
    metro2_files.Account(
        {**metro2_files.GOOD, "account_number": "A2", "employer_name": "EXAMPLE WORKS"},
        [metro2_files.consumer("J1"), metro2_files.consumer("J2")],
        ["K1", "N1"],
    ),
    metro2_files.good(account_number="A3"),
]
# Whether a packed number is one decides whether a record's consumers count; so nobody is appended.
METRO2_ALONE = [metro2_files.good(account_number=f"A{i}") for i in range(4)]
TUDF = [
    tudf_files.good(account_number="L1"),
    tudf_files.Subject([{**tudf_files.GOOD, "account_number": f"L{i}"} for i in (2, 3)]),
    tudf_files.good(account_number="L4"),
]
#: Keys and nonces of the encrypted payloads: no secrets, and the same in every run.
SESSION_KEY = X25519PrivateKey.from_private_bytes(bytes(range(32)))
SESSION_NONCE = bytes(range(32))
_THEIR_KEY = X25519PrivateKey.from_private_bytes(bytes(range(100, 132)))
_THEIR_NONCE = bytes(range(100, 132))

_ONE_THREAD = pacsv.ReadOptions(use_threads=False)


class SessionKeyRing:
    """The one session key."""

    def private_key(self, nonce: bytes) -> X25519PrivateKey:
        """The key of the fetch; raises NotFound for any other nonce."""
        if nonce != SESSION_NONCE:
            raise NotFound("There is no such session key.")
        return SESSION_KEY


def sealed_deposit(number: int) -> dict[str, Any]:
    """A linked account without transactions, encrypted as institutions do."""
    plain = deposit(number, [])
    account = json.dumps(plain.pop("account")).encode()
    ours = SESSION_KEY.public_key()
    public = _THEIR_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    sealed = encrypt(account, _THEIR_KEY, ours, _THEIR_NONCE, SESSION_NONCE)
    material = {
        "cryptoAlg": "ECDH",
        "curve": "X25519",
        "DHPublicKey": {"expiry": "2026-07-01T00:00:00Z", "KeyValue": public.decode()},
        "Nonce": base64.b64encode(_THEIR_NONCE).decode(),
    }
    return plain | {
        "ourNonce": base64.b64encode(SESSION_NONCE).decode(),
        "encryptedFI": base64.b64encode(sealed).decode(),
        "KeyMaterial": material,
    }


@cache
def pgp_parties() -> tuple[pysequoia.Tsk, pysequoia.Tsk]:
    """The platform's key and the lender's."""
    return pysequoia.Tsk.generate("PayMentor"), pysequoia.Tsk.generate("Lender")


@cache
def pgp_keys() -> PgpKeys:
    """What the platform has of them."""
    ours, theirs = pgp_parties()
    certificate = str(theirs.extract_certificate()).encode()
    return PgpKeys("sealbank", (bytes(ours),), (certificate,))


def pgp_sealed(content: bytes, *, signer: pysequoia.Tsk | None = None) -> bytes:
    """Encrypted to the platform and signed, by the lender unless by somebody else."""
    ours, theirs = pgp_parties()
    sealed: bytes = pysequoia.encrypt(
        recipients=[ours.extract_certificate()],
        signer=(signer or theirs).signer(),
        bytes=content,
        armor=False,
    )
    return sealed


def pgp_opened(sealed: bytes) -> bytes:
    """The inverse, whoever signed."""
    ours, _ = pgp_parties()
    return bytes(pysequoia.decrypt(sealed, decryptor=ours.decryptor()).bytes)


def first_line(content: bytes) -> int:
    """How many bytes the first line has."""
    return content.index(b"\n") + 1


def zipped(content: bytes, name: str = "payments.csv") -> bytes:
    """An archive of one file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def unzipped(content: bytes) -> bytes:
    """The one file in an archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        [member] = [one for one in archive.infolist() if not one.is_dir()]
        return archive.read(member)


def in_encoding(encoding: str) -> dict[str, Callable[[bytes], bytes]]:
    """From UTF-8 to another encoding, and back."""
    return {
        "packed": lambda b: b.decode(errors="replace").encode(encoding, errors="replace"),
        "unpacked": lambda b: b.decode(encoding).encode(),
    }


def parquet(rows: Sequence[Mapping[str, object]], **options: Any) -> bytes:
    """Rows as columns of text; blank is null."""
    columns = {name: [str(row[name]) or None for row in rows] for name in rows[0]}
    return _written(pa.table(columns), **options)


def typed_parquet(content: bytes) -> bytes:
    """Delimited text as a table of whatever types its columns seem to have; else as it is."""
    # A phone would lose its plus as a number.
    texts = pacsv.ConvertOptions(column_types={"phone": pa.string()})
    try:
        return _written(pacsv.read_csv(io.BytesIO(content), _ONE_THREAD, convert_options=texts))
    except (pa.ArrowException, UnicodeDecodeError):
        return content


def changes(count: int) -> list[dict[str, object]]:
    """Rows of the account table's change log, in the contract's order."""
    columns = load_feeds()["portfolio_changes"].records[0].delivered_columns
    delivered = {c.name: c.delivered_as or c.name for c in columns if c.name != "change_number"}
    rows = []
    for i in range(count):
        row = portfolio_row(i, city='Pu"ne, x')
        row |= {"op": "IUUD"[i % 4], "committed_at_utc": f"2026-06-30 12:00:{i:02d}.000123"}
        rows.append({name: row.get(own, "") for own, name in delivered.items()})
    return rows


def do_not_call(count: int, tail: bytes = b"") -> bytes:
    """Lines of the do-not-call list, or with a tail of its change list."""
    return b"".join(b"206,55501%02d%s\n" % (i, tail) for i in range(count))


def _written(table: pa.Table, **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()
