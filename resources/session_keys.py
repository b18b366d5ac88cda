"""Session keys of Account Aggregator fetches: one X25519 key pair a fetch, in a private folder.

`<keys>/<lender>/aa/<nonce in hex>.pem`: the nonce that travels with the public key names the file,
so an envelope finds its key without an index. What opens payloads is `ingestion.aa_crypto`.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from resources.errors import NotFound, SettingsError


class SessionKeys:
    """The session keys of one lender; files readable by their owner alone."""

    def __init__(self, keys_dir: Path, lender_id: str) -> None:
        self._folder = keys_dir / lender_id / "aa"

    def private_key(self, nonce: bytes) -> X25519PrivateKey:
        """The key of the fetch with this nonce.

        Raises NotFound when there is none, SettingsError when the file holds something else.
        """
        path = self._path(nonce)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise NotFound(f"There is no session key {path.name}; it may be deleted.") from None
        try:
            key = load_pem_private_key(content, password=None)
        except ValueError:
            key = None
        if not isinstance(key, X25519PrivateKey):
            raise SettingsError(f"{path} holds no X25519 private key; remove it, and fetch again.")
        return key

    def keep(self, nonce: bytes, key: X25519PrivateKey) -> None:
        """Store the key of a fetch that begins; raises SettingsError when the nonce was used."""
        path = self._path(nonce)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise SettingsError(f"{path} exists: a nonce may be used once. Draw another.") from None
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            file.flush()
            os.fsync(file.fileno())

    def forget(self, nonce: bytes) -> None:
        """Delete the key of a fetch whose data is taken in; nothing when it is gone already."""
        self._path(nonce).unlink(missing_ok=True)

    def _path(self, nonce: bytes) -> Path:
        return self._folder / f"{nonce.hex()}.pem"
