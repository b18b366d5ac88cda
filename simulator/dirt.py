"""Deliberately wrong rows, and the manifest that says where each one is.

A wrong row is always an *added* row: a copy of a good one with a fresh key and one fault (a
duplicate keeps its key and stands after its original). So the clean lender stays consistent, and
a platform that catches every fault ends with exactly the clean rows.
"""

from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import orjson

from simulator.files import FeedFile, csv_lines, header
from simulator.seeds import generator

MIN_ROWS = 12
"""Smaller files stay clean: one wrong row in them would look like a broken file."""


@dataclass(frozen=True)
class Fault:
    """One way to be wrong: the reason a platform must give, the column, and the bad text.

    ``value`` None with a column means the last characters are not UTF-8.
    """

    reason_code: str
    column: str | None = None
    value: str | None = None


@dataclass(frozen=True)
class DirtyRow:
    """One line of ``dirty_manifest.jsonl``; ``row_number`` counts data rows from 1."""

    feed: str
    file: str
    row_number: int
    column: str | None
    reason_code: str

    def line(self) -> bytes:
        """The manifest line."""
        return orjson.dumps(self.__dict__) + b"\n"


_DUPLICATE, _COLUMNS = Fault("DUPLICATE_KEY"), Fault("WRONG_COLUMN_COUNT")
FUTURE = "2099-01-01"

FAULTS: dict[str, tuple[str, tuple[Fault, ...]]] = {
    "portfolio": ("account_id", (
        Fault("MISSING_VALUE", "customer_id", ""), Fault("BAD_TYPE", "days_past_due", "soon"),
        Fault("NEGATIVE_AMOUNT", "outstanding_amount", "-100.00"),
        Fault("FUTURE_DATE", "opened_date", FUTURE),
        Fault("NOT_IN_LIST", "product", "space_ship"), Fault("OUT_OF_RANGE", "days_past_due", "-5"),
        Fault("BAD_PATTERN", "phone", "not-a-phone"),
        Fault("BUSINESS_DATE_MISMATCH", "snapshot_date", "2001-01-01"),
        _DUPLICATE, _COLUMNS, Fault("NOT_UTF8", "city"),
    )),
    "payments": ("payment_id", (
        Fault("NEGATIVE_AMOUNT", "amount", "-250.00"), Fault("MISSING_VALUE", "account_id", ""),
        Fault("BAD_TYPE", "amount", "plenty"), Fault("NOT_IN_LIST", "status", "maybe"),
        Fault("FUTURE_DATE", "value_date", FUTURE), _DUPLICATE, _COLUMNS,
    )),
    "bureau_reports": ("report_id", (
        Fault("OUT_OF_RANGE", "score", "1200"), Fault("NOT_IN_LIST", "bureau", "oracle"),
        Fault("MISSING_VALUE", "customer_id", ""), Fault("BAD_TYPE", "report_date", "yesterday"),
        _DUPLICATE, _COLUMNS,
    )),
    "bureau_tradelines": ("tradeline_id", (
        Fault("BAD_PATTERN", "payment_history", "00XYZ900"),
        Fault("NEGATIVE_AMOUNT", "sanctioned_amount", "-1.00"),
        Fault("BAD_TYPE", "is_own_account", "perhaps"), Fault("MISSING_VALUE", "report_id", ""),
        _DUPLICATE, _COLUMNS,
    )),
    "bureau_enquiries": ("enquiry_id", (
        Fault("FUTURE_DATE", "enquiry_date", FUTURE), Fault("MISSING_VALUE", "product", ""),
        Fault("BAD_TYPE", "amount", "a lot"), _DUPLICATE, _COLUMNS,
    )),
    "contact_history": ("contact_id", (
        Fault("NOT_IN_LIST", "channel", "pigeon"), Fault("BAD_TYPE", "contacted_at_utc", "noon"),
        Fault("MISSING_VALUE", "account_id", ""), Fault("NOT_IN_LIST", "outcome", "eloped"),
        Fault("OUT_OF_RANGE", "assignment_probability", "1.5"), _DUPLICATE, _COLUMNS,
    )),
    "contact_permissions": ("permission_id", (
        Fault("NOT_IN_LIST", "status", "unsure"), Fault("MISSING_VALUE", "customer_id", ""),
        Fault("BAD_TYPE", "effective_at_utc", "never"), _DUPLICATE, _COLUMNS,
    )),
    "dnd_registry": ("phone", (
        Fault("BAD_PATTERN", "phone", "not-a-phone"), Fault("NOT_IN_LIST", "registry", "MARS_DNC"),
        Fault("FUTURE_DATE", "listed_date", FUTURE), _DUPLICATE, _COLUMNS,
    )),
    "blacklist": ("customer_id", (
        Fault("MISSING_VALUE", "reason", ""), Fault("BAD_TYPE", "listed_date", "32/13/2026"),
        _DUPLICATE, _COLUMNS,
    )),
    "fraud_reports": ("report_id", (
        Fault("NOT_IN_LIST", "status", "rumoured"), Fault("MISSING_VALUE", "customer_id", ""),
        _DUPLICATE, _COLUMNS,
    )),
    "campaign_responses": ("response_id", (
        Fault("NOT_IN_LIST", "response", "shrugged"), Fault("BAD_TYPE", "is_control", "perhaps"),
        Fault("MISSING_VALUE", "campaign_id", ""), _DUPLICATE, _COLUMNS,
    )),
    "clickstream_events": ("event_id", (
        Fault("NOT_IN_LIST", "event_type", "sigh"), Fault("BAD_TYPE", "occurred_at_utc", "later"),
        Fault("MISSING_VALUE", "customer_id", ""), _DUPLICATE, _COLUMNS,
    )),
}  # fmt: skip
"""By CSV feed: the key column made fresh in a wrong copy, and the faults used in turn."""

CONSENT_FAULTS = (
    Fault("BAD_JSON"), Fault("NOT_IN_LIST", "status", "SLEEPING"),
    Fault("MISSING_VALUE", "customer_id"), Fault("BAD_TYPE", "consent_expiry_utc", "some day"),
)  # fmt: skip
DEPOSIT_FAULTS = (
    Fault("NEGATIVE_AMOUNT", "amount", "-10.00"), Fault("BAD_JSON"),
    Fault("NOT_IN_LIST", "direction", "SIDEWAYS"),
    Fault("UNKNOWN_CONSENT", "consent_id"), Fault("BAD_TYPE", "transacted_at_utc", "teatime"),
    Fault("DUPLICATE_KEY"), Fault("MISSING_VALUE", "transaction_id"),
)  # fmt: skip
_TRANSACTION_FIELD = {
    "amount": "amount", "direction": "type", "transacted_at_utc": "transactionTimestamp",
    "transaction_id": "txnId",
}  # fmt: skip


class Dirt:
    """Hands out wrong rows evenly: a feed of n rows gets about ``share`` x n of them."""

    def __init__(self, seed: int, share: float) -> None:
        self._seed, self._share = seed, share
        self._owed: dict[str, float] = {}
        self._used: dict[str, int] = {}

    def plan(self, file: FeedFile) -> tuple[int, int]:
        """How many wrong rows this file gets, and the serial number of the first one.

        Call in delivery order; the answer depends on the files before.
        """
        rows = file.records
        owed = self._owed.get(file.feed, 0.0) + rows * self._share
        count = int(owed) if rows >= MIN_ROWS else 0
        count = min(count, max(rows // MIN_ROWS, 1), max(int(rows * self._share * 3), 1))
        self._owed[file.feed] = owed - count
        serial = self._used.get(file.feed, 0)
        self._used[file.feed] = serial + count
        return count, serial

    def soil(self, file: FeedFile, count: int, serial: int) -> tuple[bytes, list[DirtyRow]]:
        """The file's bytes with ``count`` wrong rows added, and their manifest entries."""
        rng = generator(self._seed, f"dirt.{file.feed}", file.day)
        if file.rows is not None:
            return _soil_csv(rng, file, count, serial)
        lines, records = list(file.lines or []), list(file.records_per_line or [])
        for number in range(serial, serial + count):
            if file.feed == "aa_consents":
                _soil_consents(rng, lines, records, number)
            else:
                _soil_deposits(rng, lines, records, number)
        return _finished_json(file, lines, records)


def _soil_csv(
    rng: np.random.Generator, file: FeedFile, count: int, serial: int
) -> tuple[bytes, list[DirtyRow]]:
    assert file.rows is not None
    names = file.rows.column_names
    good = csv_lines(file.rows)
    key, faults = FAULTS[file.feed]
    added: list[tuple[int, bytes, Fault]] = []
    for number in range(serial, serial + count):
        fault = faults[number % len(faults)]
        source = int(rng.integers(0, len(good)))
        is_copy = fault.reason_code == "DUPLICATE_KEY"
        position = int(rng.integers(source + 1 if is_copy else 0, len(good) + 1))
        fresh = f"+1500555{number % 10_000:04d}" if key == "phone" else f"X{file.day}{number:06d}"
        added.append((position, _spoil(good[source], names, key, fresh, fault), fault))
    added.sort(key=lambda entry: entry[0])
    edges = [0, *(position for position, _, _ in added), len(good)]
    pieces = [[header(file.rows)]]
    manifest = []
    for i, (position, line, fault) in enumerate(added):
        pieces += [good[edges[i] : edges[i + 1]], [line]]
        manifest.append(
            DirtyRow(file.feed, file.name, position + i + 1, fault.column, fault.reason_code)
        )
    pieces.append(good[edges[-2] :] if added else good)
    return b"\n".join(chain.from_iterable(pieces)) + b"\n", manifest


def _spoil(line: bytes, names: list[str], key: str, fresh: str, fault: Fault) -> bytes:
    if fault.reason_code == "DUPLICATE_KEY":
        return line
    values = line.split(b",")
    values[names.index(key)] = fresh.encode()
    if fault.reason_code == "WRONG_COLUMN_COUNT":
        return b",".join(values[:-1])
    assert fault.column is not None
    at = names.index(fault.column)
    values[at] = values[at] + b"\xff\xfe" if fault.value is None else fault.value.encode()
    return b",".join(values)


def _soil_consents(
    rng: np.random.Generator, lines: list[Any], records: list[int], number: int
) -> None:
    fault = CONSENT_FAULTS[number % len(CONSENT_FAULTS)]
    source = lines[_clean_line(rng, lines)]
    position = int(rng.integers(0, len(lines) + 1))
    if fault.reason_code == "BAD_JSON":
        bad = source[: len(source) // 2]
    else:
        artefact = orjson.loads(source)
        artefact["consentId"] = f"6d657269-6469-4f61-9000-{number:012d}"
        if fault.column == "customer_id":
            del artefact["customerId"]
        elif fault.column == "status":
            artefact["status"] = fault.value
        else:
            artefact["ConsentDetail"]["consentExpiry"] = fault.value
        bad = orjson.dumps(artefact)
    lines.insert(position, _Marked(bad, ((1, fault),)))
    records.insert(position, 1)


def _soil_deposits(
    rng: np.random.Generator, lines: list[Any], records: list[int], number: int
) -> None:
    fault = DEPOSIT_FAULTS[number % len(DEPOSIT_FAULTS)]
    with_transactions = [i for i, n in enumerate(records) if n > 1 and type(lines[i]) is bytes]
    if not with_transactions:
        fault = Fault("BAD_JSON")
    at = with_transactions[int(rng.integers(len(with_transactions)))] if with_transactions else 0
    if fault.reason_code == "BAD_JSON":
        lines.insert(at + 1, _Marked(bytes(lines[at])[:120], ((1, fault),)))
        records.insert(at + 1, 1)
        return
    document = orjson.loads(lines[at])
    entries = document["account"]["transactions"]["transaction"]
    if fault.reason_code == "UNKNOWN_CONSENT":
        document["consentId"] = f"6d657269-6469-4f61-7000-{number:012d}"
        document["linkRefNumber"] = document["account"]["linkedAccRef"] = f"LX{number:07d}"
        del entries[3:]
        children = tuple((i + 2, Fault("PARENT_REJECTED")) for i in range(len(entries)))
        lines.insert(at + 1, _Marked(orjson.dumps(document), ((1, fault), *children)))
        records.insert(at + 1, 1 + len(entries))
        return
    bad = dict(entries[int(rng.integers(len(entries)))])
    if fault.column is not None:
        bad["txnId"] = f"TX{number:07d}"
        field = _TRANSACTION_FIELD[fault.column]
        if fault.value is None:
            del bad[field]
        else:
            bad[field] = fault.value
    entries.append(bad)
    lines[at] = _Marked(orjson.dumps(document), ((records[at] + 1, fault),))
    records[at] += 1


class _Marked(bytes):
    """A spoiled line, and which of its records (from 1) carry which fault."""

    marks: tuple[tuple[int, Fault], ...]

    def __new__(cls, content: bytes, marks: tuple[tuple[int, Fault], ...]) -> "_Marked":
        line = super().__new__(cls, content)
        line.marks = marks
        return line


def _clean_line(rng: np.random.Generator, lines: list[Any]) -> int:
    clean = [i for i, line in enumerate(lines) if type(line) is bytes]
    return clean[int(rng.integers(len(clean)))]


def _finished_json(
    file: FeedFile, lines: list[Any], records: list[int]
) -> tuple[bytes, list[DirtyRow]]:
    manifest, before = [], 0
    for line, count in zip(lines, records, strict=True):
        if isinstance(line, _Marked):
            manifest += [
                DirtyRow(file.feed, file.name, before + number, fault.column, fault.reason_code)
                for number, fault in line.marks
            ]
        before += count
    return b"\n".join(lines) + b"\n" if lines else b"", manifest
