"""Where the fields of Metro 2 stand, as data.

Order, widths and kinds of the fields are those of the Credit Reporting Resource Guide as
moov-io/metro2 (`pkg/lib/specifications.go`) writes them down. Offsets follow from the widths, for
the character layout and the packed one alike. How a record is found in a file is not decided here
(`metro2_framing`), nor what a value may be (the feed contract).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

Kind = Literal["text", "number", "date", "timestamp", "ssn", "phone"]

#: Bytes that a number takes in the packed layout; text is as wide as in the character layout.
_PACKED_WIDTHS: Mapping[Kind, int] = {
    "number": 5,
    "date": 5,
    "timestamp": 8,
    "ssn": 5,
    "phone": 6,
}


@dataclass(frozen=True)
class Field:
    """One field: `start` and `width` in the character layout, the same in the packed one."""

    name: str
    kind: Kind
    start: int
    width: int
    packed_start: int
    packed_width: int


def _fields(table: str, start: int = 0) -> tuple[Field, ...]:
    """Fields from lines of "name width [kind]", from offset `start`; "-" is nothing of interest."""
    fields = []
    packed_start = 0
    for name, digits, *rest in filter(None, map(str.split, table.splitlines())):
        width = int(digits)
        kind = cast(Kind, rest[0] if rest else "text")
        packed_width = _PACKED_WIDTHS.get(kind, width)
        if name != "-":
            fields.append(Field(name, kind, start, width, packed_start, packed_width))
        start += width
        packed_start += packed_width
    return tuple(fields)


BASE_BYTES = 426
PACKED_BASE_BYTES = 366
#: Bytes of each appended segment, in the order in which a record may have them.
SEGMENT_BYTES: Mapping[str, int] = {
    "J1": 100,
    "J2": 200,
    "K1": 34,
    "K2": 34,
    "K3": 40,
    "K4": 30,
    "L1": 54,
    "N1": 146,
}
CONSUMER_SEGMENTS = ("J1", "J2")
#: Segments of which a record has one at most: they stand behind the base segment of its row.
ACCOUNT_SEGMENTS = ("K1", "K2", "K3", "K4", "L1", "N1")

BASE: tuple[Field, ...] = _fields(
    """
    - 4
    processing_indicator 1
    updated_at_utc 14 timestamp
    correction_indicator 1
    identification_number 20
    cycle_identifier 2
    account_number 30
    portfolio_type 1
    account_type 2
    date_opened 8 date
    credit_limit 9 number
    highest_credit 9 number
    terms_duration 3
    terms_frequency 1
    scheduled_payment_amount 9 number
    actual_payment_amount 9 number
    account_status 2
    payment_rating 1
    payment_history 24
    special_comment 2
    compliance_condition 2
    current_balance 9 number
    amount_past_due 9 number
    charge_off_amount 9 number
    date_account_information 8 date
    date_first_delinquency 8 date
    date_closed 8 date
    date_last_payment 8 date
    interest_type 1
    - 17
    surname 25
    first_name 20
    middle_name 20
    generation_code 1
    ssn 9 ssn
    date_of_birth 8 date
    phone 10 phone
    ecoa_code 1
    consumer_information_indicator 2
    country_code 2
    address_line_1 32
    address_line_2 32
    city 20
    state 2
    zip_code 9
    address_indicator 1
    residence_code 1
    """
)

_ACCOUNT_SEGMENT_FIELDS: Mapping[str, str] = {
    "K1": """
        - 2
        original_creditor_name 30
        creditor_classification 2
        """,
    "K2": """
        - 2
        purchased_sold_indicator 1
        purchased_sold_name 30
        """,
    "K3": """
        - 2
        agency_identifier 2
        agency_account_number 18
        mortgage_identification_number 18
        """,
    "K4": """
        - 2
        specialized_payment_indicator 2
        deferred_payment_start_date 8 date
        balloon_payment_due_date 8 date
        balloon_payment_amount 9 number
        """,
    "L1": """
        - 2
        change_indicator 1
        new_account_number 30
        new_identification_number 20
        """,
    "N1": """
        - 2
        employer_name 30
        employer_address_line_1 32
        employer_address_line_2 32
        employer_city 20
        employer_state 2
        employer_zip_code 9
        occupation 18
        """,
}

#: Offset of each of ACCOUNT_SEGMENTS in the text of a row: base segment, then all six in order.
SEGMENT_STARTS: dict[str, int] = {}
ROW_BYTES = BASE_BYTES
for _tag in ACCOUNT_SEGMENTS:
    SEGMENT_STARTS[_tag] = ROW_BYTES
    ROW_BYTES += SEGMENT_BYTES[_tag]

ACCOUNT: tuple[Field, ...] = BASE + tuple(
    field
    for tag in ACCOUNT_SEGMENTS
    for field in _fields(_ACCOUNT_SEGMENT_FIELDS[tag], SEGMENT_STARTS[tag])
)

#: J1 ends after the consumer information indicator; the rest is J2 alone.
CONSUMER: tuple[Field, ...] = _fields(
    """
    segment 2
    - 1
    surname 25
    first_name 20
    middle_name 20
    generation_code 1
    ssn 9 ssn
    date_of_birth 8 date
    phone 10 phone
    ecoa_code 1
    consumer_information_indicator 2
    country_code 2
    address_line_1 32
    address_line_2 32
    city 20
    state 2
    zip_code 9
    address_indicator 1
    residence_code 1
    """
)
CONSUMER_BYTES = SEGMENT_BYTES["J2"]

_STATUSES = (
    *("11", "13", "61", "62", "63", "64", "65", "71", "78", "80"),
    *("82", "83", "84", "88", "89", "93", "94", "95", "96", "97"),
)


def _trailer(widths: tuple[int, int]) -> tuple[tuple[str, slice], ...]:
    """What each figure of the trailer counts, in the words of a sentence, and where it stands."""
    words: Sequence[str] = (
        "base segments",
        "",  # reserved
        "accounts of status DF",
        "J1 segments",
        "J2 segments",
        "",  # number of blocks, which says how the file was written and not what is in it
        "accounts of status DA",
        "accounts of status 05",
        *(f"accounts of status {status}" for status in _STATUSES),
        "consumers of ECOA code Z",
        *(f"{tag} segments" for tag in ("N1", "K1", "K2", "K3", "K4", "L1")),
        *(
            f"{what} in {where} segments"
            for what in ("Social Security numbers", "dates of birth")
            for where in ("all", "base", "J1", "J2")
        ),
        "telephone numbers in all segments",
    )
    start, width = 11, widths[0]
    figures = []
    for word in words:
        if word:
            figures.append((word, slice(start, start + width)))
        start += width
    assert start == widths[1]
    return tuple(figures)


#: Figures of the trailer record in the character layout (9 digits) and the packed one (5 bytes).
TRAILER = _trailer((9, 407))
PACKED_TRAILER = _trailer((5, 231))
