"""Provider notifications in their real forms, for events of the simulated borrowers.

Forms: Amazon SES event publishing, AWS End User Messaging SMS events and its two-way inbound
message, Amazon Connect contact events, and the WhatsApp Business webhook.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from simulator.errors import SimulationError
from simulator.payload_parts import ACCOUNT, Maker, Payload, identifier, iso, milliseconds
from simulator.ses_payloads import SES_EVENTS
from simulator.world import Event, Message

_CONNECT = "arn:aws:connect:us-east-1:123456789012:instance/SIMULATED"
_SENDER_PHONE = "+12065550100"
_RING = timedelta(seconds=10)


def payload_for(message: Message, event: Event) -> tuple[str, Payload]:
    """The provider (``ses``, ``sms``, ``sms_inbound``, ``connect``, ``whatsapp``) and its payload.

    Raises:
        SimulationError: the channel is unknown, or its provider cannot report such an event.
    """
    makers = _MAKERS.get(message.channel)
    if makers is None:
        raise SimulationError(
            f"Message {message.action_id} uses the channel {message.channel!r}; "
            f"the simulated providers carry {', '.join(_MAKERS)}."
        )
    if event.kind not in makers:
        raise SimulationError(
            f"The world reports {event.kind!r} for the {message.channel} message "
            f"{message.action_id}; that provider reports {', '.join(makers)}."
        )
    provider, make = makers[event.kind]
    return provider, make(message, event, message.sent_at + event.after)


def _sms(status: str, is_final: bool, text: str) -> Callable[[Message, Event, datetime], Payload]:
    def make(message: Message, event: Event, at: datetime) -> Payload:
        country = "IN" if message.to.startswith("+91") else "US"
        return {
            "eventType": f"TEXT_{status}",
            "eventVersion": "1.0",
            "eventTimestamp": milliseconds(at),
            "isFinal": is_final,
            "originationPhoneNumber": _SENDER_PHONE,
            "destinationPhoneNumber": message.to,
            "isInternationalSend": country != "US",
            "isoCountryCode": country,
            "messageId": message.provider_message_id,
            "messageRequestTimestamp": milliseconds(message.sent_at),
            "messageEncoding": "GSM" if message.body.isascii() else "UNICODE",
            "messageType": "TRANSACTIONAL",
            "messageStatus": status,
            "messageStatusDescription": text,
            "context": {"action_id": message.action_id, "lender_id": message.lender_id},
            "totalMessageParts": 1 + len(message.body) // 153,
            "totalMessagePrice": 0.00581,
            "totalCarrierFee": 0.0,
        }

    return make


def _sms_inbound(message: Message, event: Event, at: datetime) -> Payload:
    return {
        "originationNumber": message.to,
        "destinationNumber": _SENDER_PHONE,
        "messageKeyword": f"KEYWORD_{ACCOUNT}",
        "messageBody": event.text,
        "inboundMessageId": identifier(message, event, event.text),
        "previousPublishedMessageId": message.provider_message_id,
    }


def _connect(name: str, detection: str | None) -> Callable[[Message, Event, datetime], Payload]:
    def make(message: Message, event: Event, at: datetime) -> Payload:
        contact = message.provider_message_id
        detail: Payload = {
            "initiationTimestamp": iso(message.sent_at),
            "contactId": contact,
            "channel": "VOICE",
            "instanceArn": _CONNECT,
            "initiationMethod": "OUTBOUND",
            "eventType": name,
        }
        if name != "INITIATED":
            detail["connectedToSystemTimestamp"] = iso(min(at, message.sent_at + _RING))
        if name == "CONNECTED_TO_AGENT":
            detail["queueInfo"] = {
                "queueArn": f"{_CONNECT}/queue/COLLECTIONS", "queueType": "STANDARD",
                "enqueueTimestamp": iso(min(at, message.sent_at + _RING)),
            }  # fmt: skip
            detail["agentInfo"] = {
                "agentArn": f"{_CONNECT}/agent/A1", "connectedToAgentTimestamp": iso(at)
            }  # fmt: skip
        if name == "DISCONNECTED":
            detail["disconnectTimestamp"] = iso(at)
        if detection is not None:
            detail["answeringMachineDetectionStatus"] = detection
        return {
            "version": "0",
            "id": identifier(message, event),
            "detail-type": "Amazon Connect Contact Event",
            "source": "aws.connect",
            "account": ACCOUNT,
            "time": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": "us-east-1",
            "resources": [_CONNECT, f"{_CONNECT}/contact/{contact}"],
            "detail": detail,
        }

    return make


def _whatsapp_status(status: str) -> Callable[[Message, Event, datetime], Payload]:
    def make(message: Message, event: Event, at: datetime) -> Payload:
        entry: Payload = {
            "id": message.provider_message_id,
            "status": status,
            "timestamp": str(int(at.timestamp())),
            "recipient_id": message.to.lstrip("+"),
        }
        if status == "failed":
            entry["errors"] = [{
                "code": 131026, "title": "Message undeliverable",
                "message": "Message undeliverable",
                "error_data": {"details": "Unable to deliver message"},
            }]  # fmt: skip
        else:
            entry["conversation"] = {
                "id": identifier(message, event),
                "origin": {"type": "utility"},
            }
            entry["pricing"] = {"billable": True, "pricing_model": "PMP", "category": "utility"}
        return _webhook({"statuses": [entry]})

    return make


def _whatsapp_inbound(message: Message, event: Event, at: datetime) -> Payload:
    sender = message.to.lstrip("+")
    return _webhook({
        "contacts": [{"profile": {"name": "Borrower"}, "wa_id": sender}],
        "messages": [{
            "from": sender,
            "id": f"wamid.{identifier(message, event, event.text)}",
            "context": {"from": _SENDER_PHONE.lstrip("+"), "id": message.provider_message_id},
            "timestamp": str(int(at.timestamp())),
            "type": "text",
            "text": {"body": event.text},
        }],
    })  # fmt: skip


def _webhook(value: Payload) -> Payload:
    metadata = {"display_phone_number": _SENDER_PHONE.lstrip("+"), "phone_number_id": "PNID"}
    change = {"messaging_product": "whatsapp", "metadata": metadata, **value}
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": "WABA_ID", "changes": [{"field": "messages", "value": change}]}],
    }


_MAKERS: dict[str, dict[str, Maker]] = {
    "email": SES_EVENTS,
    "sms": {
        "sent": ("sms", _sms("SUCCESSFUL", False, "Message has been accepted by phone carrier")),
        "delivered": ("sms", _sms("DELIVERED", True, "Message has been delivered")),
        "failed": ("sms", _sms("UNREACHABLE", True, "The phone is unreachable")),
        "replied": ("sms_inbound", _sms_inbound),
        "opted_out": ("sms_inbound", _sms_inbound),
    },
    "whatsapp": {
        "sent": ("whatsapp", _whatsapp_status("sent")),
        "delivered": ("whatsapp", _whatsapp_status("delivered")),
        "opened": ("whatsapp", _whatsapp_status("read")),
        "failed": ("whatsapp", _whatsapp_status("failed")),
        "replied": ("whatsapp", _whatsapp_inbound),
        "opted_out": ("whatsapp", _whatsapp_inbound),
    },
    "voice": {
        "sent": ("connect", _connect("INITIATED", None)),
        "answered": ("connect", _connect("CONNECTED_TO_AGENT", "HUMAN_ANSWERED")),
        "voicemail": ("connect", _connect("DISCONNECTED", "VOICEMAIL_BEEP")),
        "no_answer": ("connect", _connect("DISCONNECTED", "AMD_UNANSWERED")),
        "failed": ("connect", _connect("DISCONNECTED", "SIT_TONE_INVALID_NUMBER")),
    },
}
