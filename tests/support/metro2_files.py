"""Metro 2 files written from values: the counterpart of the parser, for synthetic files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from paymentor_assets.ingestion.parsers.metro2_layout import (
    ACCOUNT,
    ACCOUNT_SEGMENTS,
    BASE,
    CONSUMER,
    PACKED_TRAILER,
    SEGMENT_BYTES,
    SEGMENT_STARTS,
    TRAILER,
    Field,
)

Values = Mapping[str, str]

#: An account without a fault; tests change what they are about.
GOOD: Values = {
    "processing_indicator": "1",
    "updated_at_utc": "01312026093000",
    "correction_indicator": "0",
    "identification_number": "EXAMPLE01",
    "account_number": "A1",
    "portfolio_type": "I",
    "account_type": "00",
    "date_opened": "03152023",
    "highest_credit": "12000",
    "terms_duration": "048",
    "terms_frequency": "M",
    "scheduled_payment_amount": "310",
    "actual_payment_amount": "310",
    "account_status": "11",
    "payment_history": "0" * 22 + "BB",
    "current_balance": "5400",
    "amount_past_due": "0",
    "date_account_information": "01312026",
    "date_last_payment": "01152026",
    "surname": "TESTPERSON",
    "first_name": "ASHA",
    "ssn": "900000001",
    "date_of_birth": "04051980",
    "phone": "2025550101",
    "ecoa_code": "1",
    "country_code": "US",
    "address_line_1": "1 EXAMPLE ST",
    "city": "EXAMPLEVILLE",
    "state": "TX",
    "zip_code": "75001",
}


@dataclass(frozen=True)
class Account:
    """One record: fields of the base segment and of K1 to N1, and the consumers appended."""

    values: Values = field(default_factory=lambda: GOOD)
    consumers: Sequence[Values] = ()
    segments: Sequence[str] = ()

    def appended(self) -> bytes:
        """The segments after the base segment, in characters."""
        parts = []
        for consumer in self.consumers:
            segment = _characters(CONSUMER, consumer, SEGMENT_BYTES["J2"])
            parts.append(segment[: SEGMENT_BYTES[consumer["segment"]]])
        row = _characters(ACCOUNT, self.values, SEGMENT_STARTS["N1"] + SEGMENT_BYTES["N1"])
        for tag in ACCOUNT_SEGMENTS:
            if tag in self.segments:
                start = SEGMENT_STARTS[tag]
                parts.append(tag.encode() + row[start + 2 : start + SEGMENT_BYTES[tag]])
        return b"".join(parts)


def good(**changes: str) -> Account:
    """An account without a fault, but for the changes."""
    return Account({**GOOD, **changes})


def consumer(segment: str = "J1", **changes: str) -> Values:
    """A second consumer without a fault, but for the changes."""
    names = {f.name for f in CONSUMER}
    kept = {k: v for k, v in GOOD.items() if k in names}
    return {**kept, "segment": segment, "ecoa_code": "2", "first_name": "RAVI", **changes}


def lines(*accounts: Account, trailer: Mapping[str, int] | None = None) -> bytes:
    """A record a line."""
    records = [b"0426" + _base(a) + a.appended() for a in accounts]
    return b"\n".join([_header(), *records, _trailer(accounts, trailer)]) + b"\n"


def fixed(*accounts: Account, trailer: Mapping[str, int] | None = None) -> bytes:
    """Records of one length, padded with blanks, without line ends."""
    records = [_base(a) + a.appended() for a in accounts]
    records = [_header()[4:], *records, _trailer(accounts, trailer)[4:]]
    width = 4 + max(map(len, records))
    return b"".join(b"%04d" % width + record.ljust(width - 4) for record in records)


def variable(
    *accounts: Account, per_block: int = 1, trailer: Mapping[str, int] | None = None
) -> bytes:
    """Records as long as they are, in blocks of `per_block` records."""
    records = [_header()[4:], *(_base(a) + a.appended() for a in accounts)]
    records.append(_trailer(accounts, trailer)[4:])
    led = [b"%04d" % (len(r) + 4) + r for r in records]
    blocks = [b"".join(led[i : i + per_block]) for i in range(0, len(led), per_block)]
    return b"".join(b"%04d" % (len(b) + 4) + b for b in blocks)


def packed(
    *accounts: Account, decimals: bool = False, trailer: Mapping[str, int] | None = None
) -> bytes:
    """Blocks of one record with packed numbers: binary ones, or packed decimals."""
    records = [_header()[4:366]]
    for account in accounts:
        base = bytearray(b" " * 366)
        for f in BASE:
            raw = _packed(f, account.values.get(f.name, ""), decimals)
            base[f.packed_start : f.packed_start + f.packed_width] = raw
        records.append(bytes(base[4:]) + account.appended())
    figures = _figures(accounts) if trailer is None else trailer
    end = bytearray(b"\0\0\0\0TRAILER".ljust(366))
    for word, place in PACKED_TRAILER:
        end[place] = _packed_number(str(figures.get(word, 0)), 5, decimals)
    records.append(bytes(end[4:]))
    led = [(len(r) + 4).to_bytes(2, "big") + b"\0\0" + r for r in records]
    return b"".join((len(r) + 4).to_bytes(2, "big") + b"\0\0" + r for r in led)


def _base(account: Account) -> bytes:
    return _characters(BASE, account.values, 426)[4:]


def _characters(fields: Sequence[Field], values: Values, width: int) -> bytes:
    text = bytearray(b" " * width)
    for f in fields:
        value = values.get(f.name, "").encode()
        filled = value.ljust(f.width) if f.kind == "text" else value.rjust(f.width, b"0")
        if f.start + f.width <= width:
            text[f.start : f.start + f.width] = filled[: f.width]
    return bytes(text)


def _header() -> bytes:
    return (b"0426HEADER" + b" " * 37 + b"01312026" + b"02012026").ljust(426)


def _trailer(accounts: Sequence[Account], figures: Mapping[str, int] | None) -> bytes:
    figures = _figures(accounts) if figures is None else figures
    text = bytearray(b"0426TRAILER".ljust(426))
    for word, place in TRAILER:
        text[place] = b"%09d" % figures.get(word, 0)
    return bytes(text)


def _figures(accounts: Sequence[Account]) -> Counter[str]:
    figures: Counter[str] = Counter()
    for account in accounts:
        people = [("base", account.values), *((c["segment"], c) for c in account.consumers)]
        figures["base segments"] += 1
        figures[f"accounts of status {account.values['account_status']}"] += 1
        figures.update(f"{segment} segments" for segment in account.segments)
        for where, person in people:
            if where != "base":
                figures[f"{where} segments"] += 1
            for name, words in (
                ("ssn", "Social Security numbers"),
                ("date_of_birth", "dates of birth"),
            ):
                if person.get(name, "").strip("0"):
                    figures[f"{words} in all segments"] += 1
                    figures[f"{words} in {where} segments"] += 1
            if person.get("phone", "").strip("0"):
                figures["telephone numbers in all segments"] += 1
            figures["consumers of ECOA code Z"] += person["ecoa_code"] == "Z"
    return figures


def _packed(f: Field, value: str, decimals: bool) -> bytes:
    if f.kind == "text":
        return value.encode().ljust(f.packed_width)[: f.packed_width]
    if not decimals and f.kind in ("date", "timestamp"):
        if not value.strip("0"):
            return bytes(f.packed_width)
        return b"\0" + int(value).to_bytes(f.packed_width - 2, "big") + b"\x73"
    return _packed_number(value, f.packed_width, decimals)


def _packed_number(value: str, width: int, decimals: bool) -> bytes:
    if decimals:
        return bytes.fromhex((value or "0").rjust(2 * width - 1, "0") + "c")
    return int(value or "0").to_bytes(width, "big")
