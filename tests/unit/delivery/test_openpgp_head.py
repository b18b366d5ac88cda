"""The beginning of a message is read without stumbling, whatever it holds."""

from __future__ import annotations

import base64
from contextlib import suppress

import pysequoia
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.errors import RejectedFile
from resources.openpgp_head import recipients_of

ARMOR = b"-----BEGIN PGP MESSAGE-----\nComment: none\n\n"
#: First octets of packets that matter, in old and new format.
FIRST = [0x84, 0x85, 0x86, 0x87, 0x8C, 0xC1, 0xC3, 0xD2]


@given(st.sampled_from(FIRST), st.binary(max_size=80), st.booleans())
def test_any_bytes_are_read_or_refused(first: int, rest: bytes, is_armored: bool) -> None:
    head = bytes([first]) + rest
    with suppress(RejectedFile):
        found = recipients_of(ARMOR + base64.b64encode(head) if is_armored else head, "f")
        assert all(len(key_id) >= 16 for key_id in found)


@given(st.binary(max_size=80))
def test_any_armor_is_read_or_refused(rest: bytes) -> None:
    with suppress(RejectedFile):
        assert all(len(key_id) >= 16 for key_id in recipients_of(ARMOR + rest, "f"))


@pytest.mark.parametrize("armor", [True, False])
def test_recipients_are_named(armor: bool) -> None:
    keys = [pysequoia.Tsk.generate(f"{n}@example.com") for n in "ab"]
    certificates = [key.extract_certificate() for key in keys]
    sealed = pysequoia.encrypt(recipients=certificates, bytes=bytes(100_000), armor=armor)
    assert len(recipients_of(sealed[:4096], "f")) == 2


def test_a_session_key_of_version_3_names_its_key_id() -> None:
    packet = bytes([0xC1, 10, 3]) + bytes(range(1, 9)) + b"\x12"
    assert recipients_of(packet + b"\xd2\x01\x01", "f") == ["0102030405060708"]
    hidden = bytes([0x84, 10, 3]) + bytes(8) + b"\x12"
    assert recipients_of(hidden + packet, "f") == ["0102030405060708"]
