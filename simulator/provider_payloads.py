"""Provider notifications in their real forms, for events of the simulated borrowers.

Forms: Amazon SES event publishing, AWS End User Messaging SMS events and its two-way inbound
message, Amazon Connect contact events, and the WhatsApp Business webhook.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from simulator.errors import SimulationError
from simulator.world import Event, Message

Payload = dict[str, Any]

_ACCOUNT = "123456789012"
_CONNECT = "arn:aws:connect:us-east-1:123456789012:instance/SIMULATED"
_SENDER = "collections@meridian.example.com"
_SENDER_PHONE = "+12065550100"
_AGENT = (
    "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Mobile Safari/537.36"
)


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


def iso(moment: datetime) -> str:
    """Milliseconds and a ``Z``, as the providers write it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000)


def _identifier(message: Message, event: Event, *more: str) -> str:
    """UUID-shaped and stable for one event of one message."""
    text = "\x1f".join((message.action_id, event.kind, str(event.after), *more))
    digest = sha256(text.encode()).hexdigest()
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))


def _ses(
    name: str, section: str, detail: Callable[[Message, str], Payload]
) -> Callable[[Message, Event, datetime], Payload]:
    def make(message: Message, event: Event, at: datetime) -> Payload:
        body = detail(message, iso(at))
        if name in {"Bounce", "Complaint"}:
            body["feedbackId"] = _identifier(message, event)
        return {"eventType": name, "mail": _mail(message), section: body}

    return make


def _mail(message: Message) -> Payload:
    return {
        "timestamp": iso(message.sent_at),
        "source": _SENDER,
        "sourceArn": f"arn:aws:ses:us-east-1:{_ACCOUNT}:identity/{_SENDER}",
        "sendingAccountId": _ACCOUNT,
        "messageId": message.provider_message_id,
        "destination": [message.to],
        "headersTruncated": False,
        "headers": [
            {"name": "From", "value": _SENDER},
            {"name": "To", "value": message.to},
            {"name": "Subject", "value": message.subject or ""},
        ],
        "commonHeaders": {
            "from": [_SENDER],
            "to": [message.to],
            "messageId": message.provider_message_id,
            "subject": message.subject or "",
        },
        "tags": {
            "ses:configuration-set": ["simulated"],
            "action_id": [message.action_id],
            "lender_id": [message.lender_id],
        },
    }


def _delivery(message: Message, at: str) -> Payload:
    return {
        "timestamp": at, "processingTimeMillis": 1_893, "recipients": [message.to],
        "smtpResponse": "250 2.6.0 Message received", "reportingMTA": "mta.example.com",
    }  # fmt: skip


def _bounce(message: Message, at: str) -> Payload:
    return {
        "bounceType": "Permanent", "bounceSubType": "General", "timestamp": at,
        "bouncedRecipients": [{
            "emailAddress": message.to, "action": "failed", "status": "5.1.1",
            "diagnosticCode": "smtp; 550 5.1.1 user unknown",
        }],
        "reportingMTA": "dsn; mta.example.com",
    }  # fmt: skip


def _complaint(message: Message, at: str) -> Payload:
    return {
        "complainedRecipients": [{"emailAddress": message.to}], "timestamp": at,
        "userAgent": _AGENT, "complaintFeedbackType": "abuse", "arrivalDate": at,
    }  # fmt: skip


def _open(message: Message, at: str) -> Payload:
    return {"ipAddress": "192.0.2.1", "timestamp": at, "userAgent": _AGENT}


def _click(message: Message, at: str) -> Payload:
    return {
        "ipAddress": "192.0.2.1", "link": "https://portal.meridian.example.com/pay",
        "linkTags": None, "timestamp": at, "userAgent": _AGENT,
    }  # fmt: skip


def _subscription(message: Message, at: str) -> Payload:
    return {
        "contactList": "borrowers", "timestamp": at, "source": "UnsubscribeHeader",
        "newTopicPreferences": {"unsubscribeAll": True, "topicSubscriptionStatus": []},
        "oldTopicPreferences": {"unsubscribeAll": False, "topicSubscriptionStatus": []},
    }  # fmt: skip


def _sms(status: str, is_final: bool, text: str) -> Callable[[Message, Event, datetime], Payload]:
    def make(message: Message, event: Event, at: datetime) -> Payload:
        country = "IN" if message.to.startswith("+91") else "US"
        return {
            "eventType": f"TEXT_{status}",
            "eventVersion": "1.0",
            "eventTimestamp": _milliseconds(at),
            "isFinal": is_final,
            "originationPhoneNumber": _SENDER_PHONE,
            "destinationPhoneNumber": message.to,
            "isInternationalSend": country != "US",
            "isoCountryCode": country,
            "messageId": message.provider_message_id,
            "messageRequestTimestamp": _milliseconds(message.sent_at),
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
        "messageKeyword": f"KEYWORD_{_ACCOUNT}",
        "messageBody": event.text,
        "inboundMessageId": _identifier(message, event, event.text),
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
            "id": _identifier(message, event),
            "detail-type": "Amazon Connect Contact Event",
            "source": "aws.connect",
            "account": _ACCOUNT,
            "time": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": "us-east-1",
            "resources": [_CONNECT, f"{_CONNECT}/contact/{contact}"],
            "detail": detail,
        }

    return make


_RING = timedelta(seconds=10)


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
                "id": _identifier(message, event),
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
            "id": f"wamid.{_identifier(message, event, event.text)}",
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


_Maker = tuple[str, Callable[[Message, Event, datetime], Payload]]
_MAKERS: dict[str, dict[str, _Maker]] = {
    "email": {
        "sent": ("ses", _ses("Send", "send", lambda message, at: {})),
        "delivered": ("ses", _ses("Delivery", "delivery", _delivery)),
        "bounced": ("ses", _ses("Bounce", "bounce", _bounce)),
        "complained": ("ses", _ses("Complaint", "complaint", _complaint)),
        "opened": ("ses", _ses("Open", "open", _open)),
        "clicked": ("ses", _ses("Click", "click", _click)),
        "opted_out": ("ses", _ses("Subscription", "subscription", _subscription)),
        "failed": ("ses", _ses("Reject", "reject", lambda message, at: {"reason": "Bad content"})),
    },
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
