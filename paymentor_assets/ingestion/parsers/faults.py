"""What is wrong with a row that its format cannot read, by `parse_error`, as half a sentence."""

from __future__ import annotations

from collections.abc import Mapping

PARSE_FAULTS: Mapping[str, str] = {
    "NOT_UTF8": "holds bytes that are not UTF-8",
    "BAD_JSON": "is not a JSON object",
    "RECORD_TOO_SHORT": "is shorter than a base segment",
    "SEGMENT_TOO_SHORT": "ends within a segment",
    "UNKNOWN_SEGMENT": "has a segment that Metro 2 does not know",
    "REPEATED_SEGMENT": "has a segment more often than it may, or after its end",
    "BAD_PACKED_NUMBER": "has a packed number that is none",
    "NOT_ASCII": "holds bytes that are not printable ASCII",
    "FIRST_SEGMENT_NOT_PN": "does not begin with a name segment (PN)",
    "UNKNOWN_TAG": "has a tag that its segment does not have",
    "BAD_LENGTH": "states a length that cannot be",
    "REPEATED_FIELD": "has a field twice in one segment",
    "NO_ACCOUNT": "has no account (TL)",
    "BAD_XML": "is not an <FI> element around exactly one <Account>",
    "UNKNOWN_VERSION": "is of a schema version that is not read (1.0 to 1.2 and 2.0.0 are)",
    "DECRYPTION_FAILED": "cannot be decrypted with the session key that the envelope names",
    "KEY_EXPIRED": "is sealed with a key that had expired when the data was fetched",
    "UNSUPPORTED_CURVE": "is sealed with a Weierstrass key of curve Curve25519, which is not the "
    "X25519 of RFC 7748; ask the institution for an X25519 key",
}
