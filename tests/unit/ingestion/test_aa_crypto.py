"""Payloads of the Account Aggregator are opened as institutions seal them, or not at all."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from paymentor_assets.ingestion.aa_crypto import (
    decrypt,
    encrypt,
    open_payload,
    remote_key,
    session_key,
)
from resources.errors import DecryptionError, NotFound, SettingsError
from resources.session_keys import SessionKeys

# The key pairs and the shared secret of RFC 7748, section 6.1 (also in Sahamati/rahasya's
# X25519ControllerTest); key and IV follow from them and the two nonces by the scheme of rahasya.
OURS = X25519PrivateKey.from_private_bytes(
    bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
)
THEIRS = X25519PrivateKey.from_private_bytes(
    bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
)
SHARED = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
OUR_NONCE, THEIR_NONCE = bytes(range(32)), bytes(range(100, 132))
AES_KEY = "a165cfaba29b3724f5b7e3222fb15d5e1a7852f832e0499cc6c72a7b75955914"
IV = "6c6c6c6c646464649c9c9c9c"
PLAIN = b'<Account linkedAccRef="LREF-0001" version="1.2" type="deposit"/>'
SEALED = (
    "pI4i7anoHTzj+wv/cy8KrqMuy/8bmWZEVAFRu9RExAkkpgDzWspr8czA7TVkvyxfGO4zVSWdWa58zrjfjPto2gnXdbNg"
    "2X+Jf6+quggr7xM="
)
THEIR_PEM = (
    "-----BEGIN PUBLIC KEY-----MCowBQYDK2VuAyEA3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="
    "-----END PUBLIC KEY-----"
)


class Ring:
    """One session key."""

    def private_key(self, nonce: bytes) -> X25519PrivateKey:
        if nonce != OUR_NONCE:
            raise NotFound("none")
        return OURS


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def envelope(**changes: Any) -> dict[str, Any]:
    sealed: dict[str, Any] = {
        "fetchedAt": "2026-06-30T18:00:00Z",
        "ourNonce": text(OUR_NONCE),
        "encryptedFI": SEALED,
        "KeyMaterial": material(),
    }
    return sealed | changes


def material(**changes: Any) -> dict[str, Any]:
    return {
        "cryptoAlg": "ECDH",
        "curve": "X25519",
        "params": "",
        "DHPublicKey": {
            "expiry": "2026-07-01T00:00:00Z",
            "Parameters": "",
            "KeyValue": THEIR_PEM,
        },
        "Nonce": text(THEIR_NONCE),
    } | changes


def public(**changes: Any) -> dict[str, Any]:
    return material(DHPublicKey=material()["DHPublicKey"] | changes)


def test_the_shared_secret_is_that_of_the_rfc() -> None:
    assert OURS.exchange(THEIRS.public_key()).hex() == SHARED


def test_key_and_iv_follow_from_secret_and_nonces() -> None:
    key, iv = session_key(OURS, THEIRS.public_key(), OUR_NONCE, THEIR_NONCE)
    assert (key.hex(), iv.hex()) == (AES_KEY, IV)


def test_a_payload_is_opened() -> None:
    assert open_payload(envelope(), Ring()) == PLAIN


def test_both_sides_derive_the_same_key() -> None:
    sealed = encrypt(PLAIN, THEIRS, OURS.public_key(), THEIR_NONCE, OUR_NONCE)
    assert text(sealed) == SEALED
    assert decrypt(sealed, OURS, THEIRS.public_key(), OUR_NONCE, THEIR_NONCE) == PLAIN


def test_a_key_may_stand_on_many_lines() -> None:
    pem = THEIRS.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    raw = remote_key(pem.decode(), "X25519").public_bytes_raw()
    assert raw == THEIRS.public_key().public_bytes_raw()


WEIERSTRASS = (
    ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"KeyMaterial": public(KeyValue=WEIERSTRASS)}, "UNSUPPORTED_CURVE", "Weierstrass"),
        ({"KeyMaterial": public(expiry="2026-06-30T17:59:59Z")}, "KEY_EXPIRED", "expired"),
        ({"KeyMaterial": public(expiry="soon")}, "DECRYPTION_FAILED", "no instant"),
        ({"KeyMaterial": public(KeyValue="")}, "DECRYPTION_FAILED", "KeyValue"),
        ({"KeyMaterial": public(KeyValue="AAAA")}, "DECRYPTION_FAILED", "KeyValue"),
        ({"KeyMaterial": material(Nonce="AAAA")}, "DECRYPTION_FAILED", "3 bytes"),
        ({"KeyMaterial": material(Nonce=text(OUR_NONCE))}, "DECRYPTION_FAILED", "belong"),
        ({"KeyMaterial": None}, "DECRYPTION_FAILED", "DHPublicKey"),
        ({"KeyMaterial": {"DHPublicKey": 3}}, "DECRYPTION_FAILED", "DHPublicKey"),
        ({"ourNonce": text(THEIR_NONCE)}, "DECRYPTION_FAILED", "no session key"),
        ({"ourNonce": None}, "DECRYPTION_FAILED", "ourNonce is missing"),
        ({"encryptedFI": SEALED[:-4] + "AAA="}, "DECRYPTION_FAILED", "belong"),
        ({"encryptedFI": "no base64!"}, "DECRYPTION_FAILED", "base64"),
        ({"encryptedFI": ""}, "DECRYPTION_FAILED", "belong"),
        ({"fetchedAt": "2026-06-30T18:00:00"}, "DECRYPTION_FAILED", "no offset"),
    ],
)
def test_what_cannot_be_opened_says_why_and_nothing_of_the_content(
    changes: dict[str, Any], code: str, words: str
) -> None:
    with pytest.raises(DecryptionError) as refusal:
        open_payload(envelope(**changes), Ring())
    assert refusal.value.reason_code == code
    assert words in str(refusal.value)
    assert "LREF" not in str(refusal.value) and SEALED[:8] not in str(refusal.value)


def test_the_refused_curve_is_named() -> None:
    with pytest.raises(DecryptionError, match="'Curve25519'"):
        remote_key(WEIERSTRASS, "Curve25519")


def test_without_keys_nothing_is_opened() -> None:
    with pytest.raises(DecryptionError, match="no session keys"):
        open_payload(envelope(), None)


def test_session_keys_are_kept_found_and_forgotten(tmp_path: Path) -> None:
    keys = SessionKeys(tmp_path, "meridian")
    keys.keep(OUR_NONCE, OURS)
    (path,) = (tmp_path / "meridian" / "aa").iterdir()
    assert path.name == f"{OUR_NONCE.hex()}.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    assert keys.private_key(OUR_NONCE).private_bytes_raw() == OURS.private_bytes_raw()
    assert open_payload(envelope(), keys) == PLAIN
    with pytest.raises(SettingsError, match="once"):
        keys.keep(OUR_NONCE, OURS)
    keys.forget(OUR_NONCE)
    keys.forget(OUR_NONCE)
    with pytest.raises(NotFound):
        keys.private_key(OUR_NONCE)


def test_a_spoiled_session_key_is_named(tmp_path: Path) -> None:
    keys = SessionKeys(tmp_path, "meridian")
    keys.keep(OUR_NONCE, OURS)
    (path,) = (tmp_path / "meridian" / "aa").iterdir()
    path.write_text("spoiled")
    with pytest.raises(SettingsError, match=path.name):
        keys.private_key(OUR_NONCE)


def test_the_public_key_of_the_vector_is_theirs() -> None:
    key = remote_key(THEIR_PEM, "X25519")
    assert isinstance(key, X25519PublicKey)
    assert key.public_bytes_raw() == THEIRS.public_key().public_bytes_raw()
