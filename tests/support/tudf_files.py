"""TUDF 12 files written from values, for synthetic files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from paymentor_assets.ingestion.parsers.tudf_layout import FIELDS

Values = Mapping[str, str]

HEADER = (
    b"TUDF12" + b"EXAMPLE_MEMBER".ljust(30) + b"EXAMPLENBFC".ljust(16) + b"NB" + b"30062026"
).ljust(92) + (b"A00000" + b" " * 48)

GOOD: Values = {
    "member_code": "NB00000001",
    "member_short_name": "EXAMPLENBFC",
    "account_number": "LN-000001",
    "account_type": "05",
    "ownership_indicator": "1",
    "date_opened": "01042025",
    "date_last_payment": "05052026",
    "date_reported": "30062026",
    "sanctioned_amount": "200000",
    "current_balance": "145000",
    "overdue_amount": "12500",
    "days_past_due": "56",
    "asset_classification": "01",
    "emi_amount": "12500",
}
PERSON: Sequence[tuple[str, Values]] = (
    ("PN", {"name_1": "ASHA", "name_2": "TESTPERSON", "date_of_birth": "31011990", "gender": "1"}),
    ("ID", {"id_type": "06", "id_number": "XXXXXXXX0001"}),
    ("ID", {"id_type": "01", "id_number": "AAAPZ0000A"}),
    ("PT", {"phone": "9000000001", "phone_type": "01"}),
    ("PT", {"phone": "9000000002"}),
    ("PA", {"address_1": "1 EXAMPLE ROAD", "address_2": "PUNE", "state_code": "27"}),
)


@dataclass(frozen=True)
class Subject:
    """One person with accounts."""

    accounts: Sequence[Values] = field(default_factory=lambda: [GOOD])
    person: Sequence[tuple[str, Values]] = PERSON

    def written(self) -> bytes:
        """From PN to ES02**."""
        numbers: dict[str, int] = {}
        parts = []
        for segment, values in [*self.person, *(("TL", account) for account in self.accounts)]:
            numbers[segment] = numbers.get(segment, 0) + 1
            parts.append(_segment(segment, numbers[segment], values))
        return b"".join(parts) + b"ES02**"


def good(**changes: str) -> Subject:
    """A person with one account without a fault, but for the changes."""
    return Subject([{**GOOD, **changes}])


def tudf(*subjects: Subject, between: bytes = b"") -> bytes:
    """A whole file."""
    return HEADER + between.join(s.written() for s in subjects) + between + b"TRLR"


def _segment(segment: str, number: int, values: Values) -> bytes:
    head = f"T{number:03d}" if segment == "TL" else f"{segment[1]}{number:02d}"
    head = {"PN": "N01", "PT": f"T{number:02d}", "ID": f"I{number:02d}"}.get(segment, head)
    parts = [f"{segment}{len(head):02d}{head}"]
    for tag, (name, _) in FIELDS[segment].items():
        if value := values.get(name):
            parts.append(f"{tag}{len(value):02d}{value}")
    return "".join(parts).encode()
