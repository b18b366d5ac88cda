"""OpenPGP: files that lenders seal for us, and the keys of both sides.

What belongs here: finding the keys, opening a sealed file into the run's private scratch, making
a key. What does not: which feeds are sealed (contracts), what becomes of a refused file
(ingestion).

Keys of a lender stand in `<keys>/<lender>/pgp/`: the platform's own in `secret/`, the lender's
certificates (public keys) in `certs/`, each file binary or armored. Every lender gets a key of
its own, so that one can be withdrawn alone. Several keys may stand there while one follows another.

An expired key is no key: neither ours, to which a file is sealed, nor the lender's, by which it is
signed, even when the signature says that it is older than the expiry, since a signer dates it.

The work is done by `openpgp_worker` in a process of its own. The library holds the interpreter
while it decrypts (30 MB a second), writes as much as a file expands to, and reads bytes from
strangers; a process can be given a limit on what it writes, and dies alone.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import pysequoia

from resources.errors import RejectedFile, SettingsError
from resources.openpgp_head import HEAD_BYTES, recipients_of

#: Plaintext of one file; more is taken for an attack.
MAX_PLAIN_BYTES = 16 << 30
#: The variable that opens secret keys which have a passphrase.
PGP_PASSPHRASE = "PAYMENTOR_PGP_PASSPHRASE"


@dataclass(frozen=True)
class PgpKeys:
    """The keys for files of one lender. Secret ones are never shown."""

    lender_id: str
    secret_keys: tuple[bytes, ...] = field(repr=False)
    certificates: tuple[bytes, ...]
    passphrase: str | None = field(default=None, repr=False)

    @classmethod
    def load(cls, keys_dir: Path, lender_id: str, *, passphrase: str | None = None) -> PgpKeys:
        """The keys in `<keys_dir>/<lender_id>/pgp/`; raises SettingsError without a secret one.

        `passphrase` opens secret keys that have one.
        """
        folder = keys_dir / lender_id / "pgp"
        secret_keys = _files(folder / "secret")
        if not secret_keys:
            raise SettingsError(
                f"There is no OpenPGP key for lender {lender_id!r} in {folder / 'secret'}; make "
                f"one with `paymentor keys pgp {lender_id}` and send the lender its certificate."
            )
        return cls(lender_id, secret_keys, _files(folder / "certs"), passphrase)


def decrypt(
    stream: BinaryIO,
    name: str,
    keys: PgpKeys,
    target: Path,
    *,
    must_be_signed: bool,
    now: datetime,
    max_bytes: int = MAX_PLAIN_BYTES,
) -> None:
    """Open a sealed file into `target`, readable by this user alone.

    `target` must not exist; it appears only when the whole file was opened, its integrity held
    and, if `must_be_signed`, a valid signature of the lender was found. Otherwise no plaintext is
    left. `stream` is binary or armored and is read to its end. `name` is what sentences call the
    file, `now` the instant at which keys must not be expired.

    Without `must_be_signed` signatures are not looked at. With it, a message must not be
    compressed inside its encryption, since the library cannot check signatures in there.

    Raises RejectedFile with NOT_ENCRYPTED, WRONG_KEY, EXPIRED_KEY, UNSIGNED_FILE, BAD_SIGNATURE,
    CORRUPT_FILE or FILE_TOO_LARGE; OSError when this machine is at fault (the file may be tried
    again); SettingsError for a key of ours that cannot be used.
    """
    sealed = target.with_name(f"{target.name}.sealed")
    plain = target.with_name(f"{target.name}.unverified")
    try:
        with _private(sealed) as copy:
            shutil.copyfileobj(stream, copy, 1 << 20)
        with sealed.open("rb") as head:
            recipients = recipients_of(head.read(HEAD_BYTES), name)
        with _private(plain):
            pass
        fault = _work(
            {
                "sealed": str(sealed),
                "plain": str(plain),
                "secret_keys": [key.decode("latin-1") for key in keys.secret_keys],
                "certificates": [cert.decode("latin-1") for cert in keys.certificates],
                "passphrase": keys.passphrase,
                "recipients": recipients,
                "must_be_signed": must_be_signed,
                "now": now.timestamp(),
                "max_bytes": max_bytes,
            }
        )
        if fault is not None:
            _raise(fault, name, keys, max_bytes)
        plain.replace(target)
    finally:
        sealed.unlink(missing_ok=True)
        plain.unlink(missing_ok=True)


def make_key(keys_dir: Path, lender_id: str, *, passphrase_is_set: bool) -> str:
    """Make the platform's key for a lender; returns its armored certificate, to be sent to them.

    The key does not expire; withdraw it by deleting its file. Raises SettingsError when there is
    one already, or when `passphrase_is_set`, since keys are made without one.
    """
    folder = keys_dir / lender_id / "pgp"
    path = folder / "secret" / "platform.asc"
    if passphrase_is_set:
        raise SettingsError(
            f"{PGP_PASSPHRASE} is set, and keys are made without a passphrase; make this "
            f"one with gpg, and put its export at {path}."
        )
    if path.exists():
        raise SettingsError(f"{path} is there already; `paymentor keys pgp` makes no second one.")
    (folder / "certs").mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    key = pysequoia.Tsk.generate(f"PayMentor for {lender_id}")
    with _private(path) as file:
        file.write(str(key).encode())
    return str(key.extract_certificate())


def certificate_of(keys: PgpKeys) -> str:
    """The armored certificate of the platform's first key."""
    return str(pysequoia.Tsk.from_bytes(keys.secret_keys[0]).extract_certificate())


def _files(folder: Path) -> tuple[bytes, ...]:
    if not folder.is_dir():
        return ()
    return tuple(
        path.read_bytes()
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.name.startswith(".")
    )


def _private(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _work(job: Mapping[str, object]) -> dict[str, str] | None:
    """Let the worker do it; returns its fault, None when all is well."""
    done = subprocess.run(
        [sys.executable, "-m", "resources.openpgp_worker"],
        input=json.dumps(job).encode(),
        capture_output=True,
        cwd=Path(__file__).parents[1],
        # Nothing else: the keys of the house are no business of a reader of strangers' bytes.
        env={"RUST_BACKTRACE": "0"},
        check=False,
    )
    with suppress(json.JSONDecodeError):
        answer: dict[str, str] | None = json.loads(done.stdout)
        return answer
    return {"kind": "CORRUPT_FILE", "detail": f"the reader ended with {done.returncode}"}


def _raise(fault: Mapping[str, str], name: str, keys: PgpKeys, max_bytes: int) -> None:
    detail = fault["detail"]
    match fault["kind"]:
        case "machine":
            raise OSError(f"{name} could not be decrypted: {detail}.")
        case "key":
            raise SettingsError(
                f"A key of lender {keys.lender_id!r} cannot be used: {detail}. Look at its pgp "
                f"folder, and at {PGP_PASSPHRASE}."
            )
        case code:
            what = {
                "WRONG_KEY": f"is sealed for {detail}, and that is no key of ours; encrypt it to "
                f"the certificate that `paymentor keys pgp {keys.lender_id}` shows",
                "EXPIRED_KEY": f"relies on {detail}; deliver it with a key that is valid",
                "UNSIGNED_FILE": "is not signed, and the contract demands a signature; sign it",
                "BAD_SIGNATURE": f"has no valid signature of the lender ({detail}); sign it with "
                "a key whose certificate we hold",
                "CORRUPT_FILE": f"cannot be decrypted ({detail}); deliver it again, complete",
                "FILE_TOO_LARGE": f"holds more than {max_bytes} bytes; deliver it in parts",
            }[code]
            raise RejectedFile(code, f"{name} {what}.")
