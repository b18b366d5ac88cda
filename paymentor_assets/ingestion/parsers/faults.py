"""What is wrong with a row that its format cannot read, by `parse_error`, as half a sentence."""

from __future__ import annotations

from collections.abc import Mapping

PARSE_FAULTS: Mapping[str, str] = {
    "NOT_UTF8": "holds bytes that are not UTF-8",
    "BAD_JSON": "is not a JSON object",
    "RECORD_TOO_SHORT": "is shorter than a base segment",
    "SEGMENT_TOO_SHORT": "ends within a segment",
    "UNKNOWN_SEGMENT": "has a segment that Metro 2 does not know",
    "REPEATED_SEGMENT": "has a segment twice, or after its end",
    "BAD_PACKED_NUMBER": "has a packed number that is none",
    "NOT_ASCII": "holds bytes that are not printable ASCII",
    "FIRST_SEGMENT_NOT_PN": "does not begin with a name segment (PN)",
    "UNKNOWN_TAG": "has a tag that its segment does not have",
    "BAD_LENGTH": "states a length that cannot be",
    "REPEATED_FIELD": "has a field twice in one segment",
    "NO_ACCOUNT": "has no account (TL)",
}
