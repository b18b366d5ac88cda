"""What every provider payload needs: identifiers and times in the providers' own writing."""

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from simulator.world import Event, Message

Payload = dict[str, Any]
Maker = tuple[str, Callable[[Message, Event, datetime], Payload]]
"""A provider's name, and what turns (message, event, time of the event) into its payload."""

ACCOUNT = "123456789012"


def iso(moment: datetime) -> str:
    """Milliseconds and a ``Z``, as the providers write it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(moment: datetime) -> int:
    """Milliseconds since the epoch."""
    return round(moment.timestamp() * 1_000)


def identifier(message: Message, event: Event, *more: str) -> str:
    """UUID-shaped and stable for one event of one message."""
    text = "\x1f".join((message.action_id, event.kind, str(event.after), *more))
    digest = sha256(text.encode()).hexdigest()
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))
