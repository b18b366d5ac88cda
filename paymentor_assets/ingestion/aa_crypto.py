"""Account Aggregator payloads as they are sealed between institution and lender.

Z = X25519(our private key, their public key); x = our nonce xor their nonce (32 bytes); key =
HKDF-SHA256(Z, salt = x[0:20], no info, 32 bytes); IV = x[20:32]; AES-256-GCM, the tag appended to
the ciphertext, base64. Source: Sahamati/rahasya, `CipherService` and `XCipherService`. Session
keys live for one fetch; where they are kept is behind `KeyRing`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import load_der_public_key

from resources.errors import DecryptionError, NotFound

NONCE_BYTES = 32
_SALT_BYTES = 20
_KEY_BYTES = 32
#: DER of the algorithm identifier id-ecPublicKey (RFC 5480), which every Weierstrass key carries.
_EC_PUBLIC_KEY = bytes.fromhex("06072a8648ce3d0201")
_ARMOUR = re.compile(r"-----(BEGIN|END) PUBLIC KEY-----")


class KeyRing(Protocol):
    """The lender's session keys, found by the nonce that was sent with the public key."""

    def private_key(self, nonce: bytes) -> X25519PrivateKey:
        """The private key of that fetch; raises NotFound when there is none (any more)."""
        ...


def open_payload(envelope: Mapping[str, Any], keys: KeyRing | None) -> bytes:
    """The plaintext of an envelope with `encryptedFI`, `KeyMaterial`, `ourNonce`, `fetchedAt`.

    Raises DecryptionError: KEY_EXPIRED when their key's validity ended before the fetch,
    UNSUPPORTED_CURVE for a Weierstrass key, DECRYPTION_FAILED for everything else.
    """
    if keys is None:
        raise _failed("there are no session keys to open it with")
    material = envelope.get("KeyMaterial")
    public = material.get("DHPublicKey") if isinstance(material, dict) else None
    if not isinstance(material, dict) or not isinstance(public, dict):
        raise _failed("its KeyMaterial has no DHPublicKey")
    fetched_at = _instant(envelope.get("fetchedAt"), "fetchedAt")
    if _instant(public.get("expiry"), "the expiry of DHPublicKey") < fetched_at:
        raise DecryptionError(
            "KEY_EXPIRED", "The institution's key had expired when the data was fetched."
        )
    ours = _nonce(envelope.get("ourNonce"), "ourNonce")
    theirs = _nonce(material.get("Nonce"), "Nonce")
    remote = remote_key(str(public.get("KeyValue", "")), str(material.get("curve", "")))
    sealed = _decoded(envelope.get("encryptedFI"), "encryptedFI")
    try:
        private = keys.private_key(ours)
    except NotFound:
        raise _failed("there is no session key for its nonce") from None
    try:
        return decrypt(sealed, private, remote, ours, theirs)
    except (InvalidTag, ValueError):
        raise _failed("key, nonces and ciphertext do not belong together") from None


def decrypt(
    sealed: bytes,
    private: X25519PrivateKey,
    remote: X25519PublicKey,
    our_nonce: bytes,
    remote_nonce: bytes,
) -> bytes:
    """Plaintext of ciphertext and tag; raises InvalidTag when anything of it is not genuine.

    Nonces are 32 bytes. Symmetric: each side derives the same key from its own private key.
    """
    key, iv = session_key(private, remote, our_nonce, remote_nonce)
    return AESGCM(key).decrypt(iv, sealed, None)


def encrypt(
    plain: bytes,
    private: X25519PrivateKey,
    remote: X25519PublicKey,
    our_nonce: bytes,
    remote_nonce: bytes,
) -> bytes:
    """The inverse of `decrypt`: what an institution does."""
    key, iv = session_key(private, remote, our_nonce, remote_nonce)
    return AESGCM(key).encrypt(iv, plain, None)


def session_key(
    private: X25519PrivateKey, remote: X25519PublicKey, our_nonce: bytes, remote_nonce: bytes
) -> tuple[bytes, bytes]:
    """The AES key (32 bytes) and the IV (12 bytes) of a session."""
    mixed = bytes(a ^ b for a, b in zip(our_nonce, remote_nonce, strict=True))
    derived = HKDF(SHA256(), _KEY_BYTES, salt=mixed[:_SALT_BYTES], info=None)
    return derived.derive(private.exchange(remote)), mixed[_SALT_BYTES:]


def remote_key(pem: str, curve: str) -> X25519PublicKey:
    """The institution's public key from its PEM, which may stand on one line.

    Raises DecryptionError: UNSUPPORTED_CURVE for an EC key in Weierstrass form, which is what
    rahasya's `/ecc` path sends under the curve name Curve25519.
    """
    der = _decoded("".join(_ARMOUR.sub("", pem).split()), "KeyValue")
    if _EC_PUBLIC_KEY in der[:32]:
        raise DecryptionError(
            "UNSUPPORTED_CURVE",
            f"The institution's key is an EC key in Weierstrass form (curve {curve[:20]!r}); only "
            "X25519 keys of RFC 7748 are read. Ask the institution to use curve X25519.",
        )
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        raise _failed("KeyValue is no public key") from None
    if not isinstance(key, X25519PublicKey):
        raise _failed("KeyValue is no X25519 key")
    return key


def _nonce(value: object, name: str) -> bytes:
    nonce = _decoded(value, name)
    if len(nonce) != NONCE_BYTES:
        raise _failed(f"{name} has {len(nonce)} bytes instead of {NONCE_BYTES}")
    return nonce


def _decoded(value: object, name: str) -> bytes:
    if not isinstance(value, str):
        raise _failed(f"{name} is missing")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise _failed(f"{name} is not base64") from None


def _instant(value: object, name: str) -> datetime:
    try:
        instant = datetime.fromisoformat(str(value))
    except ValueError:
        raise _failed(f"{name} is no instant") from None
    if instant.tzinfo is None:
        raise _failed(f"{name} has no offset")
    return instant.astimezone(UTC)


def _failed(why: str) -> DecryptionError:
    return DecryptionError("DECRYPTION_FAILED", f"The payload cannot be opened: {why}.")
