"""Signatures: of webhooks by shared secret, of consent artefacts by public key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from paymentor_assets.connections import Secret
from paymentor_assets.ingestion.connectors.signatures import check_webhook, open_jws, public_key
from resources.errors import ContractError, SignatureError
from tests.support.connector_house import jws, public_pem, sign

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
SECRETS = [Secret("NEW", "whsec_new"), Secret("OLD", "whsec_old")]


def test_the_documented_scheme() -> None:
    # HMAC-SHA256 of "1700000000.{}" under "whsec_new", computed with openssl.
    signed_at = datetime.fromtimestamp(1_700_000_000, UTC)
    assert sign(b"{}", signed_at, "whsec_new") == (
        "t=1700000000,v1=dfd0c4ddb107e3a391f1dc89c9ba0bec585e31e42f82d6c6673f3d9b3a3429a8"
    )
    check_webhook(sign(b"{}", signed_at, "whsec_new"), b"{}", SECRETS, signed_at)


@given(body=st.binary(max_size=200), flip=st.integers(min_value=0))
def test_one_changed_bit_of_the_body_is_noticed(body: bytes, flip: int) -> None:
    header = sign(body, NOW, "whsec_old")
    check_webhook(header, body, SECRETS, NOW)
    changed = bytearray(body + b"\0")
    changed[flip // 8 % len(changed)] ^= 1 << flip % 8
    with pytest.raises(SignatureError, match="No secret"):
        check_webhook(header, bytes(changed), SECRETS, NOW)


@given(header=st.one_of(st.none(), st.text(max_size=80)))
def test_no_header_crashes_the_check(header: str | None) -> None:
    with pytest.raises(SignatureError):
        check_webhook(header, b"{}", SECRETS, NOW)


@pytest.mark.parametrize(
    "header",
    [
        "t=1751371200",
        "v1=aa",
        "t=1,t=2,v1=aa",
        "t=-1,v1=aa",
        "t=1e9,v1=aa",
        "t=٣,v1=aa",
        "t=1," + ",".join(["v1=aa"] * 9),
        "t=9999999999999,v1=aa",
    ],
)
def test_a_malformed_header_is_refused(header: str) -> None:
    with pytest.raises(SignatureError, match="header"):
        check_webhook(header, b"{}", SECRETS, NOW)


def test_without_secrets_nothing_is_signed() -> None:
    with pytest.raises(SignatureError):
        check_webhook(sign(b"{}", NOW, ""), b"{}", [], NOW)


def test_a_valid_signature_grows_old() -> None:
    header = sign(b"{}", NOW, "whsec_new")
    check_webhook(header, b"{}", SECRETS, NOW + timedelta(minutes=5))
    with pytest.raises(SignatureError, match="a replay, or a clock is wrong"):
        check_webhook(header, b"{}", SECRETS, NOW + timedelta(minutes=5, seconds=1))


def test_a_signed_document_is_opened() -> None:
    key = public_key(public_pem(), "aggregator.pem")
    assert open_jws(jws({"consentMode": "STORE"}), key) == {"consentMode": "STORE"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "three parts"),
        ("a.b", "three parts"),
        ("a.b.c", "base64url and JSON"),
        ("é.é.é", "base64url and JSON"),
        (jws({}, algorithm="none"), "not signed with RS256"),
        (jws({}, algorithm="HS256"), "not signed with RS256"),
        (jws([1]), "no JSON object"),
        (jws({}) + "AA", "does not hold"),
        (jws({})[:-8], "does not hold"),
    ],
)
def test_a_document_that_was_not_signed_so_is_refused(text: str, said: str) -> None:
    with pytest.raises(SignatureError, match=said):
        open_jws(text, public_key(public_pem(), "aggregator.pem"))


def test_a_key_of_another_kind_is_refused() -> None:
    curve = generate_private_key(SECP256R1()).public_key()
    pem = curve.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(ContractError, match="not RSA"):
        public_key(pem, "aggregator.pem")
    with pytest.raises(ContractError, match="no public key"):
        public_key(b"-----BEGIN", "aggregator.pem")
