"""Who signed: webhooks by a shared secret (HMAC-SHA256), consent artefacts by a public key (JWS).

What belongs here: whether bytes come from whom they claim. What does not: what they say.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from paymentor_assets.connections import Secret
from resources.errors import ContractError, SignatureError

#: How far the sender's clock and ours, plus the way, may lie apart.
TOLERANCE = timedelta(minutes=5)
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
#: A header with more signatures than this is not a rotation but an attempt.
_MOST_SIGNATURES = 8


def check_webhook(
    header: str | None, body: bytes, secrets: Sequence[Secret], now: datetime
) -> None:
    """Raise SignatureError unless one of the secrets signed this body within the last minutes.

    The header reads `t=<seconds since 1970>,v1=<hex>[,v1=<hex>]`, each signature being
    HMAC-SHA256 over `<t>.<body>` with the raw bytes of the body (the scheme of Stripe's webhooks).
    """
    parts = [part.strip().partition("=") for part in (header or "").split(",")]
    stamps = [value for name, _, value in parts if name == "t"]
    given = [value.encode(errors="replace") for name, _, value in parts if name == "v1"]
    if len(stamps) != 1 or not _TIMESTAMP.fullmatch(stamps[0]) or not given:
        raise SignatureError("The signature header is absent or not t=<seconds>,v1=<hex>.")
    if len(given) > _MOST_SIGNATURES:
        raise SignatureError("The signature header holds too many signatures.")
    signed = stamps[0].encode() + b"." + body
    expected = [
        hmac.new(secret.reveal().encode(), signed, sha256).hexdigest().encode()
        for secret in secrets
    ]
    # Every pair is compared, so that the time taken says nothing about which one was nearly right.
    matches = [hmac.compare_digest(ours, theirs) for ours in expected for theirs in given]
    if not any(matches):
        raise SignatureError("No secret of this connector made the signature.")
    age = now.timestamp() - int(stamps[0])
    if abs(age) > TOLERANCE.total_seconds():
        raise SignatureError(
            f"The message was signed {age:.0f} s ago, and {TOLERANCE.seconds} s are allowed; it is "
            "a replay, or a clock is wrong."
        )


def public_key(pem: bytes, where: str) -> RSAPublicKey:
    """The RSA key in a PEM file; raises ContractError when there is none."""
    try:
        key = load_pem_public_key(pem)
    except ValueError as error:
        raise ContractError(f"{where} holds no public key in PEM form ({error}).") from error
    if not isinstance(key, RSAPublicKey):
        raise ContractError(f"{where} holds a key that is not RSA; RS256 needs one.")
    return key


def open_jws(text: str, key: RSAPublicKey) -> dict[str, Any]:
    """The payload of a compact JWS signed with RS256 (RFC 7515, section 3.1; RFC 7518, 3.3).

    The algorithm is ours to choose, never the message's. Raises SignatureError.
    """
    parts = text.split(".")
    if len(parts) != 3:
        raise SignatureError("The signed document is not a compact JWS of three parts.")
    try:
        header, payload = (json.loads(_decoded(part)) for part in parts[:2])
        signature = _decoded(parts[2])
    except (ValueError, RecursionError):
        raise SignatureError("The signed document is not base64url and JSON.") from None
    if not isinstance(header, dict) or header.get("alg") != "RS256":
        raise SignatureError("The signed document was not signed with RS256.")
    try:
        key.verify(signature, f"{parts[0]}.{parts[1]}".encode(), PKCS1v15(), SHA256())
    except InvalidSignature:
        raise SignatureError("The signature of the document does not hold.") from None
    if not isinstance(payload, dict):
        raise SignatureError("The signed document holds no JSON object.")
    return payload


def _decoded(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
