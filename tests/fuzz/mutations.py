"""What can be done to the bytes of a file, each as a function of the bytes and a seeded generator.

`BYTES` fits any file, the others files of their kind. None of them knows a contract or a parser.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from collections.abc import Callable, Sequence
from functools import partial

Mutation = Callable[[bytes, random.Random], bytes]

#: A hostile document needs no more than this to grow to gigabytes in a careless reader.
ENTITY_BOMB = (
    b'<!DOCTYPE lolz [<!ENTITY l0 "lol">'
    + b"".join(
        b'<!ENTITY l%d "%s">' % (i, b"&l%d;" % (i - 1) * 10)
        for i in range(1, 11)  # 10^10 words
    )
    + b"]>"
)
EXTERNAL_ENTITY = b'<!DOCTYPE r [<!ENTITY l10 SYSTEM "file:///etc/passwd">]>'
#: Whole files of another kind, as they land in the wrong folder.
FOREIGN: Sequence[bytes] = (
    ENTITY_BOMB + b"<r>&l10;</r>",
    EXTERNAL_ENTITY + b"<r>&l10;</r>",
    b"<html><body>502 Bad Gateway</body></html>\n",
    b"[" * 100_000,
    b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"\n",
    gzip.compress(bytes(100_000)),
    b"PK\x03\x04" + bytes(40),
    b"PAR1" + bytes(40) + b"PAR1",
    b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    b"\x7fELF\x02\x01\x01" + bytes(9),
    b"TUDF12" + b" " * 200,
    b"0426HEADER" + b" " * 37 + b"01312026" * 2,
    b"\n" * 5_000,
    b"\r" * 5_000,
    b"\0" * 5_000,
    b'"' * 5_001,
    b"," * 5_000,
    b"-- -----BEGIN PGP MESSAGE-----\n\nhQEM\n",
)
_TOKENS: Sequence[bytes] = (
    b"\0",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\0",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xed\xa0\x80",  # half a surrogate pair, which UTF-8 does not have
    b"\xc3",
    b"\x1a",
    b"\x0b\x0c",
    b"\xe2\x80\xa8",
    b'"',
    b'""',
    b'"\n',
    b"\r",
    b"\r\n",
    b"\n\n",
    b",",
    b",,,,,,,,",
    b"|",
    b"\t",
    b"'; DROP TABLE payments; --",
    b"=HYPERLINK(0)",
    b"../../../../etc/passwd",
    b"%s%n{value}$.a",
    b"&l10;",
)
_VALUES: Sequence[str] = (
    "",
    " ",
    "NULL",
    "NaN",
    "-Infinity",
    "1e308",
    "-0",
    "0x10",
    "1_000",
    "1,000.00",
    "-1",
    "99999999999999999999.99",
    "9" * 400,
    "0.0000000000000000000000000001",
    "2026-02-30",
    "0001-01-01",
    "9999-12-31",
    "+294276-12-31T00:00:00Z",
    "1969-12-31T23:59:60Z",
    "2026-06-30T08:30:00+99:99",
    "infinity",
    "epoch",
    "٠١٢٣",
    "\u202eabc",
    "e\u0301" * 20,
    "\ufffd",
    "\ue00d",
    "x" * 2_000,
    "true",
    "[]",
    "{}",
    '{"a": 1}',
    "a\nb",
    'a"b',
)
_ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "utf-7", "utf-8-sig", "cp1252", "cp500", "shift-jis")
MEBIBYTE = 1 << 20


def flip(data: bytes, chance: random.Random) -> bytes:
    """Single bits."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 3, 20))):
        if changed:
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def cut(data: bytes, chance: random.Random) -> bytes:
    """The end is missing."""
    return data[: chance.randrange(len(data) + 1)]


def remove(data: bytes, chance: random.Random) -> bytes:
    """A piece is missing, of the end of the file as often as of its middle."""
    at = _place(data, chance)
    return data[:at] + data[at + chance.choice((1, 1, 4, 40, 300)) :]


def insert(data: bytes, chance: random.Random) -> bytes:
    """Foreign bytes between."""
    at = _place(data, chance)
    return data[:at] + _foreign(chance) + data[at:]


def overwrite(data: bytes, chance: random.Random) -> bytes:
    """Foreign bytes instead."""
    at, token = _place(data, chance), _foreign(chance)
    return data[:at] + token + data[at + len(token) :]


def repeat(data: bytes, chance: random.Random) -> bytes:
    """A piece stands there twice."""
    a, b = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    return data[:b] + data[a : min(b, a + 4_000)] + data[b:]


def swap(data: bytes, chance: random.Random) -> bytes:
    """Two pieces change places."""
    a, b = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    size = min(chance.randint(1, 200), b - a)
    return (
        data[:a] + data[b : b + size] + data[a + size : b] + data[a : a + size] + data[b + size :]
    )


def be_foreign(data: bytes, chance: random.Random) -> bytes:
    """Another file altogether."""
    return chance.choice(FOREIGN)


def reencode(data: bytes, chance: random.Random) -> bytes:
    """The same text in another encoding, or read as one it is not in and written again."""
    text = data.decode(chance.choice(("utf-8", "latin-1")), errors="replace")
    at = _place(data, chance)
    text = text[:at] + chance.choice(("é", "ü", "₹", "नाम", "")) + text[at:]
    return text.encode(chance.choice(_ENCODINGS), errors="replace")


def mark(data: bytes, chance: random.Random) -> bytes:
    """A byte order mark, or two, before the text."""
    return chance.choice((b"\xef\xbb\xbf", b"\xef\xbb\xbf" * 2, b"\xff\xfe", b"\xfe\xff")) + data


def declare_entities(data: bytes, chance: random.Random) -> bytes:
    """An XML document type before the text, and its entity within."""
    head, _, body = data.rpartition(b"?>")
    at = body.find(b">") + 1 or _place(body, chance)
    return head + chance.choice((ENTITY_BOMB, EXTERNAL_ENTITY)) + body[:at] + b"&l10;" + body[at:]


def repeat_header(data: bytes, chance: random.Random) -> bytes:
    """The first line again, further down."""
    lines = data.split(b"\n")
    lines.insert(chance.randrange(len(lines) + 1), lines[0])
    return b"\n".join(lines)


def move_lines(data: bytes, chance: random.Random) -> bytes:
    """A line is lost, comes twice, or stands in another place."""
    lines = data.split(b"\n")
    line = lines.pop(chance.randrange(len(lines)))
    for _ in range(chance.randrange(3)):
        lines.insert(chance.randrange(len(lines) + 1), line)
    return b"\n".join(lines)


def end_lines(data: bytes, chance: random.Random) -> bytes:
    """Lines end in another way."""
    return data.replace(b"\n", chance.choice((b"\r\n", b"\r", b"\n\n", b"\r\r\n", b" \n", b"\0\n")))


def lengthen(data: bytes, chance: random.Random) -> bytes:
    """One very long value; rarely one of 10 MiB."""
    size = chance.choice((200_000,) * 40 + (5 * MEBIBYTE, 10 * MEBIBYTE))
    at = _place(data, chance)
    return data[:at] + chance.choice((b"x", b"9", b"\xc3\xa9", b'"', b" ")) * size + data[at:]


def swap_columns(data: bytes, chance: random.Random, delimiter: str = ",") -> bytes:
    """Two columns change places: everywhere, in the header alone, or in one row alone."""

    def change(rows: list[list[str]]) -> None:
        a, b = (chance.randrange(max(len(rows[0]), 1)) for _ in range(2))
        header, one = slice(0, 1), slice(i := chance.randrange(len(rows)), i + 1)
        for row in rows[chance.choice((slice(None), header, one))]:
            if max(a, b) < len(row):
                row[a], row[b] = row[b], row[a]

    return _with_rows(data, delimiter, change)


def change_cell(data: bytes, chance: random.Random, delimiter: str = ",") -> bytes:
    """Another value, well quoted: hostile text, a newline, or one of another column."""

    def change(rows: list[list[str]]) -> None:
        row = rows[chance.randrange(len(rows))]
        if row:
            row[chance.randrange(len(row))] = chance.choice((*_VALUES, *row))

    return _with_rows(data, delimiter, change)


def change_width(data: bytes, chance: random.Random, delimiter: str = ",") -> bytes:
    """A row, or every row, has a column too many or too few."""

    def change(rows: list[list[str]]) -> None:
        i = chance.randrange(len(rows))
        at, adds = chance.randrange(len(rows[0]) + 1), chance.random() < 0.5
        for row in rows[chance.choice((slice(None), slice(i, i + 1)))]:
            if adds:
                row.insert(at, chance.choice(_VALUES))
            elif at < len(row):
                del row[at]

    return _with_rows(data, delimiter, change)


def change_json(data: bytes, chance: random.Random) -> bytes:
    """One value of one document becomes another, of another type, or stands there twice."""
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    try:
        document = json.loads(lines[at])
    except (ValueError, RecursionError):
        return flip(data, chance)
    holders = [document]
    for holder in holders:
        if isinstance(holder, (dict, list)):
            holders += holder.values() if isinstance(holder, dict) else holder
    holders = [h for h in holders if isinstance(h, (dict, list)) and h]
    if not holders:
        return flip(data, chance)
    holder = chance.choice(holders)
    key = chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    values = (None, True, -1, 10**30, 1.5, [], {}, [[]], [document], [None, 1, "x"], *_VALUES)
    # Copied, since a document that holds itself cannot be written.
    value = json.loads(json.dumps(chance.choice(values)))
    match chance.randrange(4):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[f"{key}\u0000twin"] = value
        case _:
            holder[key] = value
    text = json.dumps(document).replace("\\u0000twin", "")
    lines[at] = text.encode()
    return b"\n".join(lines)


def change_json_text(data: bytes, chance: random.Random) -> bytes:
    """Text that only nearly is JSON: NaN, half a surrogate, a comma too many, comments, depth."""
    at = _place(data, chance)
    nearly = (
        b"NaN",
        b"Infinity",
        b'"\\ud800"',
        b",",
        b"/* */",
        b"'a'",
        b"1e999",
        b"01",
        b"\\u0000",
    )
    deep = b"[" * 3_000 + b"]" * 3_000
    return data[:at] + chance.choice((*nearly, deep)) + data[at:]


def change_xml(data: bytes, chance: random.Random) -> bytes:
    """Elements, attributes and references that are foreign, nested or half a comment."""
    at = _place(data, chance)
    at = data.find(chance.choice((b"<", b">", b'"', b"/>", b" ")), at)
    new = (
        b"<FI/>",
        b"<x:FI/>",
        b'<FI xmlns="urn:x"><Account/><Account/></FI>',
        b"<Transaction/>",
        b"<!-- </FI> -->",
        b"<![CDATA[</FI><FI>]]>",
        b"<?xml-stylesheet href='file:///etc/passwd'?>",
        b"&amp;",
        b"&#0;",
        b"&#x110000;",
        b"&unknown;",
        b"<a>" * 400 + b"</a>" * 400,
        b' a="1" a="2"',
        b"</FI>",
        b"</FIData><FIData>",
        b'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/passwd"/>',
    )
    return data[:at] + chance.choice(new) + data[at:]


def change_digits(data: bytes, chance: random.Random) -> bytes:
    """Other digits where digits stand: lengths, counts and dates."""
    places = [i for i, byte in enumerate(data) if 0x30 <= byte <= 0x39]
    changed = bytearray(data)
    for place in chance.sample(places, min(len(places), chance.choice((1, 1, 2, 10)))):
        changed[place] = chance.choice(b"0123456789")
    return bytes(changed)


def insert_segment(data: bytes, chance: random.Random) -> bytes:
    """A marker of the bureau formats where none belongs."""
    marks = (b"ES02**", b"TRLR", b"0426TRAILER", b"0426HEADER", b"PN03N01", b"TL04T001", b"J1" * 50)
    at = _place(data, chance)
    return data[:at] + chance.choice((*marks, b"J2" + b"A" * 198, b"K1" + b" " * 32)) + data[at:]


def change_end(data: bytes, chance: random.Random) -> bytes:
    """Bytes at the end, where a Parquet file or a zip archive says what it holds."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 2, 8))):
        if changed:
            changed[-1 - chance.randrange(min(600, len(changed)))] = chance.randrange(256)
    return bytes(changed)


BYTES: Sequence[Mutation] = (flip, flip, cut, remove, insert, overwrite, repeat, swap, be_foreign)
TEXT: Sequence[Mutation] = (
    *BYTES,
    reencode,
    mark,
    declare_entities,
    repeat_header,
    move_lines,
    end_lines,
    lengthen,
)
JSON: Sequence[Mutation] = (*TEXT, change_json, change_json, change_json, change_json_text)
XML: Sequence[Mutation] = (*TEXT, *[change_xml] * 6, declare_entities)
FIXED: Sequence[Mutation] = (*TEXT, change_digits, change_digits, insert_segment)
INDEXED: Sequence[Mutation] = (*BYTES, change_end, change_end)


def delimited(delimiter: str = ",") -> Sequence[Mutation]:
    """What can be done to delimited text."""
    own = (swap_columns, change_cell, change_cell, change_width)
    return (*TEXT, *(partial(mutation, delimiter=delimiter) for mutation in own))


def _with_rows(data: bytes, delimiter: str, change: Callable[[list[list[str]]], None]) -> bytes:
    """Delimited text taken apart, changed, and written again."""
    text = data.decode(errors="replace").replace("\0", "")
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error:
        return data
    if not rows:
        return data
    change(rows)
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return out.getvalue().encode(errors="replace")


def _place(data: bytes, chance: random.Random) -> int:
    return chance.randrange(len(data) + 1)


def _foreign(chance: random.Random) -> bytes:
    return chance.choice((*_TOKENS, chance.randbytes(1), chance.randbytes(60)))
