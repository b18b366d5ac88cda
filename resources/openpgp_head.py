"""The beginning of an OpenPGP message: is it encrypted, and for whom (RFC 9580, 4.2 and 5.1)?

The library opens a message that is only signed as if it were encrypted, and does not say whom a
message is for; both are read from the first packets here. Nothing is decrypted.
"""

from __future__ import annotations

import base64
import binascii

from resources.errors import RejectedFile

#: Packets that an encrypted message begins with (RFC 9580, 5): session keys, marker, padding, data.
_ENCRYPTED_TAGS = frozenset({1, 3, 9, 10, 18, 20, 21})
_SESSION_KEY_TAG = 1
_ARMOR = b"-----BEGIN PGP MESSAGE-----"
#: How much of a message tells whom it is sealed for.
HEAD_BYTES = 64 << 10
#: Version, length, version of the key, fingerprint.
_RECIPIENT_BYTES = 35


def recipients_of(head: bytes, name: str) -> list[str]:
    """Key ids and fingerprints that a message is sealed for, as far as it names them.

    `head` is the beginning of the message, binary or armored. Raises RejectedFile when it is no
    encrypted message.
    """
    packets = _dearmored(head)
    recipients = []
    position = 0
    while (tag := _tag(packets, position)) in _ENCRYPTED_TAGS:
        body, length = _body(packets, position)
        if tag == _SESSION_KEY_TAG:
            recipients += _recipient(packets[body : body + _RECIPIENT_BYTES])
        if tag != _SESSION_KEY_TAG or length is None:
            return recipients
        position = body + length
    if position:
        return recipients
    raise RejectedFile(
        "NOT_ENCRYPTED",
        f"{name} is no encrypted OpenPGP message, and the contract demands one; encrypt it.",
    )


def _recipient(session_key: bytes) -> list[str]:
    """The key id (version 3) or fingerprint (version 6) in a session key packet, unless hidden."""
    match session_key[:1]:
        case b"\x03" if any(session_key[1:9]):
            return [session_key[1:9].hex()]
        case b"\x06" if session_key[1:2] > b"\x01":
            return [session_key[3 : 2 + session_key[1]].hex()]
        case _:
            return []


def _dearmored(head: bytes) -> bytes:
    text = head.lstrip()
    if not text.startswith(_ARMOR):
        return head
    lines = text.replace(b"\r", b"").split(b"\n")
    begin = next((i for i, line in enumerate(lines) if not line.strip()), len(lines))
    encoded = b"".join(line.strip() for line in lines[begin + 1 :] if line[:1] not in b"=-")
    try:
        return base64.b64decode(encoded[: len(encoded) // 4 * 4])
    except binascii.Error:
        return b""


def _tag(packets: bytes, position: int) -> int | None:
    if position >= len(packets) or not packets[position] & 0x80:
        return None
    first = packets[position]
    return first & 0x3F if first & 0x40 else (first >> 2) & 0x0F


def _body(packets: bytes, position: int) -> tuple[int, int | None]:
    """Where a packet's body begins and how long it is; None when it says so in pieces."""
    first = packets[position]
    if first & 0x40:
        octet = packets[position + 1] if position + 1 < len(packets) else 255
        if octet < 192:
            return position + 2, octet
        if octet < 224 and position + 2 < len(packets):
            return position + 3, ((octet - 192) << 8) + packets[position + 2] + 192
        return position + 6, None
    size = (1, 2, 4, 0)[first & 3]
    length = int.from_bytes(packets[position + 1 : position + 1 + size], "big")
    return position + 1 + size, length if size else None
