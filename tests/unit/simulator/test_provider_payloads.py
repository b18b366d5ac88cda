"""Provider payloads carry the fields and identifiers of the real ones."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from simulator.errors import SimulationError
from simulator.provider_payloads import payload_for
from simulator.world import Event
from tests.unit.simulator.test_world import MESSAGE


def make(channel: str, kind: str, text: str = "") -> tuple[str, dict[str, Any]]:
    """A payload five seconds after sending."""
    to = "asha@example.com" if channel == "email" else MESSAGE.to
    event = Event(kind, timedelta(seconds=5), text=text)
    return payload_for(replace(MESSAGE, channel=channel, to=to), event)


@pytest.mark.parametrize(
    ("kind", "event_type", "section"),
    [
        ("sent", "Send", "send"),
        ("delivered", "Delivery", "delivery"),
        ("bounced", "Bounce", "bounce"),
        ("complained", "Complaint", "complaint"),
        ("opened", "Open", "open"),
        ("clicked", "Click", "click"),
        ("opted_out", "Subscription", "subscription"),
        ("failed", "Reject", "reject"),
    ],
)
def test_ses(kind: str, event_type: str, section: str) -> None:
    provider, payload = make("email", kind)
    assert provider == "ses"
    assert payload["eventType"] == event_type
    assert payload["mail"]["messageId"] == "p1"
    assert payload["mail"]["tags"]["action_id"] == ["a1"]
    assert payload["mail"]["timestamp"] == "2026-07-01T04:00:00.000Z"
    if kind not in {"sent", "failed"}:
        assert payload[section]["timestamp"] == "2026-07-01T04:00:05.000Z"
    else:
        assert section in payload


@pytest.mark.parametrize(
    ("kind", "event_type", "is_final"),
    [
        ("sent", "TEXT_SUCCESSFUL", False),
        ("delivered", "TEXT_DELIVERED", True),
        ("failed", "TEXT_UNREACHABLE", True),
    ],
)
def test_sms_events(kind: str, event_type: str, is_final: bool) -> None:
    provider, payload = make("sms", kind)
    assert (provider, payload["eventType"], payload["isFinal"]) == ("sms", event_type, is_final)
    assert payload["messageId"] == "p1"
    assert payload["context"]["action_id"] == "a1"
    assert payload["eventTimestamp"] - payload["messageRequestTimestamp"] == 5_000


def test_an_inbound_text_names_the_message_it_answers() -> None:
    provider, payload = make("sms", "opted_out", "STOP")
    assert provider == "sms_inbound"
    assert payload["messageBody"] == "STOP"
    assert payload["originationNumber"] == MESSAGE.to
    assert payload["previousPublishedMessageId"] == "p1"


@pytest.mark.parametrize(
    ("kind", "event_type", "detection"),
    [
        ("sent", "INITIATED", None),
        ("answered", "CONNECTED_TO_AGENT", "HUMAN_ANSWERED"),
        ("voicemail", "DISCONNECTED", "VOICEMAIL_BEEP"),
        ("no_answer", "DISCONNECTED", "AMD_UNANSWERED"),
        ("failed", "DISCONNECTED", "SIT_TONE_INVALID_NUMBER"),
    ],
)
def test_connect(kind: str, event_type: str, detection: str | None) -> None:
    provider, payload = make("voice", kind)
    detail = payload["detail"]
    assert (provider, payload["source"]) == ("connect", "aws.connect")
    assert (detail["eventType"], detail["contactId"]) == (event_type, "p1")
    assert detail.get("answeringMachineDetectionStatus") == detection


@pytest.mark.parametrize(
    ("kind", "status"),
    [("sent", "sent"), ("delivered", "delivered"), ("opened", "read"), ("failed", "failed")],
)
def test_whatsapp_statuses(kind: str, status: str) -> None:
    _, payload = make("whatsapp", kind)
    entry = payload["entry"][0]["changes"][0]["value"]["statuses"][0]
    assert (entry["id"], entry["status"]) == ("p1", status)
    assert ("errors" in entry) == (kind == "failed")


def test_a_whatsapp_reply_names_its_context() -> None:
    _, payload = make("whatsapp", "replied", "Need more time")
    inbound = payload["entry"][0]["changes"][0]["value"]["messages"][0]
    assert inbound["context"]["id"] == "p1"
    assert inbound["text"]["body"] == "Need more time"


def test_a_provider_reports_only_what_it_can() -> None:
    with pytest.raises(SimulationError, match="reports 'clicked' for the sms message"):
        make("sms", "clicked")
    with pytest.raises(SimulationError, match="uses the channel 'pigeon'"):
        make("pigeon", "sent")
