"""Amazon SES event publishing: the events of one e-mail."""

from collections.abc import Callable
from datetime import datetime

from simulator.payload_parts import ACCOUNT, Maker, Payload, identifier, iso
from simulator.world import Event, Message

_SENDER = "collections@meridian.example.com"
_AGENT = (
    "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Mobile Safari/537.36"
)


def _ses(
    name: str, section: str, detail: Callable[[Message, str], Payload]
) -> Callable[[Message, Event, datetime], Payload]:
    def make(message: Message, event: Event, at: datetime) -> Payload:
        body = detail(message, iso(at))
        if name in {"Bounce", "Complaint"}:
            body["feedbackId"] = identifier(message, event)
        return {"eventType": name, "mail": _mail(message), section: body}

    return make


def _mail(message: Message) -> Payload:
    return {
        "timestamp": iso(message.sent_at),
        "source": _SENDER,
        "sourceArn": f"arn:aws:ses:us-east-1:{ACCOUNT}:identity/{_SENDER}",
        "sendingAccountId": ACCOUNT,
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


SES_EVENTS: dict[str, Maker] = {
    "sent": ("ses", _ses("Send", "send", lambda message, at: {})),
    "delivered": ("ses", _ses("Delivery", "delivery", _delivery)),
    "bounced": ("ses", _ses("Bounce", "bounce", _bounce)),
    "complained": ("ses", _ses("Complaint", "complaint", _complaint)),
    "opened": ("ses", _ses("Open", "open", _open)),
    "clicked": ("ses", _ses("Click", "click", _click)),
    "opted_out": ("ses", _ses("Subscription", "subscription", _subscription)),
    "failed": ("ses", _ses("Reject", "reject", lambda message, at: {"reason": "Bad content"})),
}
"""By the kind of event that a world reports."""
