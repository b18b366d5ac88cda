"""The process that opens one sealed file for `openpgp`: keys and paths in, what went wrong out.

It reads one JSON object from its standard input, so that no key stands in a command line or in
the environment, and writes one to its standard output: null, or `{"kind": …, "detail": …}`.
"""

from __future__ import annotations

import json
import re
import resource
import sys
from datetime import UTC, datetime
from typing import Any

import pysequoia
from pysequoia.packet import PacketPile

#: What the library says about messages that a key does not fit, or that have no valid signature.
_NO_KEY = "No key to decrypt message"
_NO_SIGNATURE = "no valid signatures found"
_COMPRESSED = "Unexpected message structure"
_TOO_LARGE = "File too large"
_OS_ERROR = re.compile(r"\(os error \d+\)")


class Fault(Exception):
    """What went wrong: a reason code, `machine` or `key`, and the part of the sentence it needs."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(kind, detail)
        self.kind, self.detail = kind, detail


def main() -> None:
    """Do the job on standard input."""
    job = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_FSIZE, (job["max_bytes"],) * 2)
    # A dump of this process would hold the keys.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answer = None
    try:
        unseal(job)
    except Fault as fault:
        answer = {"kind": fault.kind, "detail": fault.detail}
    sys.stdout.write(json.dumps(answer))


def unseal(job: dict[str, Any]) -> None:
    """Write the plaintext; raises Fault, and then what was written is to be thrown away."""
    now = datetime.fromtimestamp(job["now"], UTC)
    certificates = [c for text in job["certificates"] for c in _certificates(text)]
    expired = []
    for text in job["secret_keys"]:
        key = _key(text)
        ours = key.extract_certificate()
        if _is_over(ours, now):
            expired.append(ours)
            continue
        if _opens(job, key, certificates, now):
            return
    for ours in expired:
        if any(_is_of(ours, recipient) for recipient in job["recipients"]):
            raise Fault("EXPIRED_KEY", f"our key {_told(ours)}")
    raise Fault("WRONG_KEY", " and ".join(job["recipients"]) or "a recipient it does not name")


def _opens(
    job: dict[str, Any],
    key: pysequoia.Tsk,
    certificates: list[pysequoia.Cert],
    now: datetime,
) -> bool:
    """Whether the key fits; then the message is written and found good."""
    signers: list[str] = []

    def certificates_for(key_ids: list[str]) -> list[pysequoia.Cert]:
        signers.extend(key_ids)
        return certificates

    try:
        decryptor = key.decryptor(job["passphrase"])
    except (RuntimeError, OSError) as error:
        raise Fault("key", _said(error)) from error
    try:
        opened = pysequoia.decrypt_file(
            job["sealed"],
            job["plain"],
            decryptor,
            store=certificates_for if job["must_be_signed"] else None,
        )
    except (RuntimeError, OSError) as error:
        said = _said(error)
        if _NO_KEY in said:
            return False
        raise _fault(said, signers, certificates, now) from error
    if job["must_be_signed"]:
        good = {signature.certificate for signature in opened.valid_sigs}
        by = [c for c in certificates if c.fingerprint in good]
        if all(_is_over(c, now) for c in by):
            raise Fault("EXPIRED_KEY", f"the lender's key {_told(by[0])}")
    return True


def _fault(
    said: str, signers: list[str], certificates: list[pysequoia.Cert], now: datetime
) -> Fault:
    if _TOO_LARGE in said:
        return Fault("FILE_TOO_LARGE", said)
    if _OS_ERROR.search(said):
        return Fault("machine", said)
    if _COMPRESSED in said:
        return Fault(
            "BAD_SIGNATURE",
            "whatever signature it has lies inside OpenPGP's own compression, where it cannot be "
            "checked; switch that off, with gpg by --compress-algo none",
        )
    if _NO_SIGNATURE not in said:
        return Fault("CORRUPT_FILE", said)
    if not signers:
        return Fault("UNSIGNED_FILE", said)
    by = [c for c in certificates if any(_is_of(c, signer) for signer in signers)]
    if not by:
        return Fault("BAD_SIGNATURE", f"it is signed by {' and '.join(signers)}")
    if all(_is_over(c, now) for c in by):
        return Fault("EXPIRED_KEY", f"the lender's key {_told(by[0])}")
    return Fault("BAD_SIGNATURE", "it does not fit the content")


def _key(text: str) -> pysequoia.Tsk:
    try:
        return pysequoia.Tsk.from_bytes(text.encode("latin-1"))
    except (RuntimeError, OSError) as error:
        raise Fault("key", f"a secret key is none ({_said(error)})") from error


def _certificates(text: str) -> list[pysequoia.Cert]:
    try:
        return list(pysequoia.Cert.split_bytes(text.encode("latin-1")))
    except (RuntimeError, OSError) as error:
        raise Fault("key", f"a certificate is none ({_said(error)})") from error


def _is_over(certificate: pysequoia.Cert, now: datetime) -> bool:
    expires = certificate.expiration
    return certificate.is_revoked or (expires is not None and expires <= now)


def _is_of(certificate: pysequoia.Cert, key_id: str) -> bool:
    """Whether a fingerprint or key id names a key of the certificate, or one of its subkeys."""
    named = (p.fingerprint for p in PacketPile.from_bytes(bytes(certificate)))
    return any(fingerprint and fingerprint.endswith(key_id) for fingerprint in named)


def _told(certificate: pysequoia.Cert) -> str:
    what = "was revoked" if certificate.is_revoked else f"expired at {certificate.expiration}"
    return f"{certificate.fingerprint}, which {what}"


def _said(error: Exception) -> str:
    """The library's words without the stack that may follow them."""
    return " ".join(str(error).partition("Stack backtrace")[0].split()).rstrip(".")


if __name__ == "__main__":
    main()
