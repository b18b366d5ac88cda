"""Reading the platform's outbox: the messages that borrowers are about to see."""

from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

import orjson

from simulator.errors import SimulationError
from simulator.world import Message


def unanswered(
    home: Path, lender_id: str, answered: Collection[str], until: datetime
) -> list[Message]:
    """Messages sent by ``until`` whose action id is not in ``answered``, oldest first.

    Raises:
        SimulationError: a file is not a message; names the file.
    """
    messages = []
    for path in sorted((home / "outbox" / lender_id).glob("*/*/*.json")):
        if path.stem in answered or path.name.startswith("."):
            continue
        message = _read(path)
        if message.sent_at <= until and message.action_id not in answered:
            messages.append(message)
    return sorted(messages, key=lambda message: (message.sent_at, message.action_id))


def _read(path: Path) -> Message:
    try:
        content = orjson.loads(path.read_bytes())
        sent_at = datetime.fromisoformat(content["sent_at_utc"])
        return Message(
            action_id=content["action_id"],
            provider_message_id=content["provider_message_id"],
            lender_id=content["lender_id"],
            account_id=content.get("account_id"),
            channel=content["channel"],
            purpose=content["purpose"],
            to=content["to"],
            language=content["language"],
            template_id=content["template_id"],
            body=content["body"],
            sent_at=(sent_at if sent_at.tzinfo else sent_at.replace(tzinfo=UTC)).astimezone(UTC),
            subject=content.get("subject"),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise SimulationError(
            f"{path} is not an outbox message ({error!r}). Remove it, or repair what wrote it."
        ) from error
