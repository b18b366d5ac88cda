"""How many rows a file holds, counted another way than the parsers count: byte by byte, line by
line, with Python's own readers. Only asked about files that were taken.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq
from lxml import etree

from paymentor_assets.ingestion.parsers.tudf_layout import FIELDS

_BOM = b"\xef\xbb\xbf"
_PADDING = b" \r\n\0\x1a"


def rows_of_csv(content: bytes, delimiter: str = ",") -> int:
    """Records after the first line."""
    return _records(content.partition(b"\n")[2], delimiter)


def rows_of_change_log(content: bytes) -> int:
    """Rows of Parquet; or records of delimited text, whose first one may hold names."""
    if content.startswith(b"PAR1"):
        return rows_of_parquet(content)
    content = content.removeprefix(_BOM)
    first = content.partition(b"\n")[0].decode(errors="replace")
    names = {name.strip().strip('"').strip() for name in first.split(",")}
    return rows_of_csv(content) if "account_id" in names else _records(content, ",")


def rows_of_lines(content: bytes) -> int:
    """Lines that hold anything."""
    return sum(1 for line in _lines(content))


def rows_of_deposits(content: bytes) -> int:
    """Lines, and the transactions in those that are JSON."""
    count = 0
    for line in _lines(content):
        count += 1
        try:
            found = _json(line)["account"]["transactions"]["transaction"]
        except (ValueError, KeyError, TypeError, IndexError, RecursionError):
            continue
        count += len(found) if isinstance(found, list) else isinstance(found, dict)
    return count


def rows_of_xml(content: bytes) -> int:
    """What stands in the root, and the transactions of those that hold one account; a file that
    does not begin as XML within 4 KiB is read as lines."""
    if not content[:4096].removeprefix(_BOM).lstrip().startswith(b"<"):
        return rows_of_deposits(content)
    read_whole = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, remove_comments=True, remove_pis=True
    )
    root = etree.fromstring(content, read_whole)
    count = 0
    for envelope in root:
        accounts = [child for child in envelope if _local(child) == "Account"]
        listed = [c for account in accounts for c in account if _local(c) == "Transactions"]
        is_envelope = _local(envelope) == "FI" and len(accounts) == 1
        items = listed[-1] if listed and is_envelope else ()
        count += 1 + sum(_local(item) == "Transaction" for item in items)
    return count


def rows_of_parquet(content: bytes) -> int:
    """Rows that the file's own table of contents promises."""
    count: int = pq.ParquetFile(io.BytesIO(content)).metadata.num_rows
    return count


def rows_of_metro2(content: bytes) -> int:
    """Records between header and trailer, and the consumers appended to sound ones."""
    return sum(1 + _consumers(record) for record in _metro2_records(content))


def records_of_metro2(content: bytes) -> int:
    """Records between header and trailer; for files in which nobody is appended."""
    return sum(1 for _ in _metro2_records(content))


def rows_of_tudf(content: bytes) -> int:
    """Accounts of sound subjects, and one row for each of the others."""
    return sum(max(1, _accounts(subject)) for subject in _tudf_subjects(content))


def _records(body: bytes, delimiter: str) -> int:
    lines = [line.decode(errors="replace").rstrip("\r\n") + "\n" for line in body.split(b"\n")]
    # A carriage return that ends no line would make csv.reader give up.
    readable = (line.replace("\r", "\ue00d") for line in lines)
    return sum(1 for row in csv.reader(readable, delimiter=delimiter) if row)


def _lines(content: bytes) -> Iterator[bytes]:
    for line in content.removeprefix(_BOM).split(b"\n"):
        if line.rstrip(b"\r"):
            yield line


def _json(line: bytes) -> Any:
    """Strict JSON: no NaN, no number beyond any double, no half of a surrogate pair."""

    def no_number(text: str) -> Any:
        raise ValueError(text)

    def number(text: str) -> float:
        value = float(text)
        return value if abs(value) != float("inf") else no_number(text)

    found = json.loads(line.decode(), parse_constant=no_number, parse_float=number)
    json.dumps(found, ensure_ascii=False).encode()
    return found


def _local(element: etree._Element) -> str:
    return etree.QName(element).localname


def _metro2_records(content: bytes) -> Iterator[bytes]:
    """Records with their descriptor words, without header and trailer."""
    data = content.removeprefix(_BOM)
    lead = 0 if data[4:10] == b"HEADER" else 4
    is_packed = min(data[:4]) < 0x20
    if not is_packed and data[:65536].partition(b"\n")[2].strip(_PADDING):
        for line in data.split(b"\n")[1:]:
            line = line.removesuffix(b"\r")
            if line[4:].startswith(b"TRAILER") or line[4 + lead :].startswith(b"TRAILER"):
                return
            if line[lead:]:
                yield line[lead:]
        return

    def length(at: int) -> int:
        return int.from_bytes(data[at : at + 2], "big") if is_packed else int(data[at : at + 4])

    at = block_end = 0
    is_header = True
    while data[at : at + 4].strip(_PADDING):
        if lead and at == block_end and not data.startswith(b"TRAILER", at + 4):
            block_end += length(at)
            at += 4
        record = data[at : at + length(at)]
        at += len(record)
        block_end = max(block_end, at)
        if record.startswith(b"TRAILER", 4):
            return
        if not is_header:
            yield record
        is_header = False


def _consumers(record: bytes) -> int:
    """Segments J1 and J2 of one record in characters; none when it is not sound."""
    widths = {b"J1": 100, b"J2": 200, b"K1": 34, b"K2": 34, b"K3": 40, b"K4": 30, b"L1": 54}
    widths[b"N1"] = 146
    at, count, seen = 426, 0, set()
    is_sound = len(record) >= at and _is_printable(record[:at])
    while is_sound and record[at:].strip(b" "):
        tag = record[at : at + 2]
        segment = record[at : at + widths.get(tag, 0)]
        is_consumer = tag in (b"J1", b"J2")
        is_sound = bool(segment) and len(segment) == widths[tag] and tag not in seen
        # The last character of J1 is reserved.
        is_sound = is_sound and _is_printable(segment[:99] if tag == b"J1" else segment)
        seen |= set() if is_consumer else {tag}
        count += is_consumer
        at += len(segment)
    return count if is_sound else 0


def _tudf_subjects(content: bytes) -> Iterator[bytes]:
    data = content.removeprefix(_BOM)[146:].lstrip(_PADDING)
    begin = at = 0
    while not data.startswith(b"TRLR", begin) and (at := data.find(b"ES02**", at)) >= 0:
        at += 6
        rest = data[at:].lstrip(b" \t\n\r\f\v")
        if not rest or rest.startswith((b"PN03", b"TRLR")):
            yield data[begin:at]
            begin = at = len(data) - len(rest)


def _accounts(subject: bytes) -> int:
    """Accounts of one subject; none when it is not sound."""
    letters = {"PN": "N", "ID": "I", "PT": "T", "PA": "A", "TL": "T", "ES": "*"}
    most = {"PN": 1, "ES": 1, "TL": 999}
    if not _is_printable(subject):
        return 0
    text = subject.decode()
    at, segment, segments, seen = 0, "", [], set[str]()
    while at < len(text):
        tag, size, value = text[at : at + 2], text[at + 2 : at + 4], text[at + 4 :]
        if len(size) < 2 or not size.isdigit() or not 0 < int(size) <= len(value):
            return 0
        value = value[: int(size)]
        if segment == "ES" or (not segments and tag != "PN"):
            return 0
        if tag in letters:
            if value[0] != letters[tag] or segments.count(tag) >= most.get(tag, 99):
                return 0
            segment, seen = tag, set()
            segments.append(tag)
        else:
            _, longest = FIELDS[segment].get(tag, ("", 0))
            if len(value) > longest or tag in seen:
                return 0
            seen.add(tag)
        at += 4 + len(value)
    return segments.count("TL") if segment == "ES" else 0


def _is_printable(text: bytes) -> bool:
    return all(0x20 <= byte <= 0x7E for byte in text)
