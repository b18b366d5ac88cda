"""Masking of provider payloads: what a lake may hold of them in the clear.

Providers send back the addresses we wrote to, names, network addresses and the words of a reply.
The original goes into the row sealed; this module makes the readable form. It works on the text,
set-based, so that a payload which is no JSON cannot slip through half-parsed: that one is masked
whole.
"""

from __future__ import annotations

from typing import Literal

from resources.duck import quote

MASK = "[masked]"
PROVIDERS = ("connect", "ses", "sms", "sms_inbound", "whatsapp")

#: Keys whose string values are personal whatever they hold. `body`, `text`, `messageBody` and
#: `caption` are a borrower's own words; `value` stands in the mail headers (From, To, Subject).
PERSONAL_KEYS = (
    "address", "body", "caption", "city", "customerEndpoint", "destinationNumber",
    "destinationPhoneNumber", "first_name", "formatted_name", "from", "ipAddress", "last_name",
    "messageBody", "name", "originationNumber", "originationPhoneNumber", "phone", "recipient_id",
    "source", "subject", "text", "user_id", "userAgent", "value", "wa_id",
)  # fmt: skip
#: Keys that hold lists of addresses, display names included.
ADDRESS_LISTS = ("bcc", "cc", "destination", "from", "recipients", "replyTo", "to")
_STRING = r'"(?:[^"\\]|\\.)*"'
_EMAIL = r'[^\s"<>@,;:\\]+@[^\s"<>@,;\\]+'
_PHONE = r"\+\d{7,15}"


def masked_sql(provider: str, payload: str) -> str:
    """The DuckDB expression that masks a payload column; NULL stays NULL.

    What is no JSON object, or comes from a provider whose keys nobody has looked at, is masked
    whole.
    """
    keys = rf'"({"|".join(PERSONAL_KEYS)})"\s*:\s*{_STRING}'
    lists = rf'"({"|".join(ADDRESS_LISTS)})"\s*:\s*\[(?:{_STRING}|[\s,])*\]'
    value, values = rf'"\1":"{MASK}"', rf'"\1":["{MASK}"]'
    text = f"regexp_replace({payload}, {quote(keys)}, {quote(value)}, 'g')"
    text = f"regexp_replace({text}, {quote(lists)}, {quote(values)}, 'g')"
    text = f"regexp_replace({text}, {quote(_EMAIL)}, {quote(MASK)}, 'g')"
    text = f"regexp_replace({text}, {quote(_PHONE)}, {quote(MASK)}, 'g')"
    known = f"{provider} IN ({', '.join(map(quote, PROVIDERS))})"
    is_object = f"json_valid({payload}) AND json_type({payload}) = 'OBJECT'"
    return (
        f"CASE WHEN {payload} IS NULL THEN NULL WHEN {known} AND {is_object} THEN {text} "
        f"ELSE {quote(MASK)} END"
    )


def address_sql(provider: str, payload: str) -> str:
    """The DuckDB expression that finds the borrower's address in an unmasked payload, or NULL.

    A WhatsApp notice may speak of several people at once; then it has none.
    """
    value = "$.entry[*].changes[*].value"
    people = (
        f"list_distinct(json_extract_string({payload}, '{value}.messages[*].from') || "
        f"json_extract_string({payload}, '{value}.statuses[*].recipient_id'))"
    )
    mail = ", ".join(
        f"{payload} ->> '$.{path}'"
        for path in (
            "bounce.bouncedRecipients[0].emailAddress",
            "complaint.complainedRecipients[0].emailAddress",
            "delivery.recipients[0]",
            "mail.destination[0]",
        )
    )
    return (
        f"CASE WHEN NOT json_valid({payload}) THEN NULL ELSE CASE {provider} "
        f"WHEN 'ses' THEN coalesce({mail}) "
        f"WHEN 'sms' THEN {payload} ->> '$.destinationPhoneNumber' "
        f"WHEN 'sms_inbound' THEN {payload} ->> '$.originationNumber' "
        f"WHEN 'connect' THEN coalesce({payload} ->> '$.detail.customerEndpoint.address', "
        f"{payload} ->> '$.detail.CustomerEndpoint.Address') "
        f"WHEN 'whatsapp' THEN CASE WHEN len({people}) = 1 "
        f"THEN '+' || ltrim({people}[1], '+') END END END"
    )


def address_kind(provider: str) -> Literal["email", "phone"]:
    """Which kind of address a provider writes to: `email` or `phone`."""
    return "email" if provider == "ses" else "phone"
