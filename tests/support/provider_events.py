"""Provider events in the providers' own forms, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from resources.streams import StreamRecord


def ses(
    kind: str,
    message_id: str,
    *,
    at: datetime,
    recipient: str = "asha@example.com",
    tags: Mapping[str, str] | None = None,
    **details: Any,
) -> dict[str, Any]:
    stamp = at.isoformat()
    section = {
        "Bounce": "bounce",
        "Complaint": "complaint",
        "Delivery": "delivery",
        "Open": "open",
        "Click": "click",
        "Send": "send",
    }[kind]
    body = {} if kind == "Send" else {"timestamp": stamp, **details}
    mail: dict[str, Any] = {
        "timestamp": stamp,
        "messageId": message_id,
        "source": "Meridian <pay@meridian.example>",
        "destination": [recipient],
        "headers": [{"name": "To", "value": f"Asha Rao <{recipient}>"}],
        "tags": {name: [value] for name, value in (tags or {}).items()},
    }
    return {"eventType": kind, "mail": mail, section: body}


def sms(kind: str, message_id: str, *, at: datetime, to: str = "+919000000001") -> dict[str, Any]:
    return {
        "eventType": kind,
        "eventVersion": "1.0",
        "eventTimestamp": int(at.timestamp() * 1000),
        "isFinal": True,
        "originationPhoneNumber": "+12065550100",
        "destinationPhoneNumber": to,
        "messageId": message_id,
        "messageStatus": kind.removeprefix("TEXT_"),
    }


def sms_reply(
    inbound_id: str, text: str, *, sender: str = "+919000000001", to_message: str | None = None
) -> dict[str, Any]:
    payload = {
        "originationNumber": sender,
        "destinationNumber": "+12065550100",
        "messageKeyword": "KEYWORD_123456789012",
        "messageBody": text,
        "inboundMessageId": inbound_id,
    }
    if to_message is not None:
        payload["previousPublishedMessageId"] = to_message
    return payload


def whatsapp(**value: Any) -> dict[str, Any]:
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": "WABA", "changes": [{"field": "messages", "value": value}]}],
    }


def whatsapp_status(
    message_id: str, status: str, *, at: datetime, to: str = "919000000001"
) -> dict[str, Any]:
    return whatsapp(
        statuses=[
            {
                "id": message_id,
                "status": status,
                "timestamp": str(int(at.timestamp())),
                "recipient_id": to,
            }
        ]
    )


def whatsapp_message(
    inbound_id: str,
    text: str,
    *,
    at: datetime,
    sender: str = "919000000001",
    to_message: str | None = None,
) -> dict[str, Any]:
    return {
        "from": sender,
        "id": inbound_id,
        "timestamp": str(int(at.timestamp())),
        "type": "text",
        "text": {"body": text},
    } | ({"context": {"id": to_message}} if to_message else {})


def call(contact_id: str, kind: str, *, at: datetime, **detail: Any) -> dict[str, Any]:
    return {
        "source": "aws.connect",
        "detail-type": "Amazon Connect Contact Event",
        "time": at.isoformat(),
        "detail": {"contactId": contact_id, "eventType": kind, **detail},
    }


def record(provider: str, payload: object, arrived_at: datetime) -> StreamRecord:
    return StreamRecord(arrived_at, provider, payload)
