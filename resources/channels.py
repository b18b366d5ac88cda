"""Channels: how a message leaves the house, and how to learn whether it already left.

What belongs here: sending one rendered message by e-mail, SMS, WhatsApp or voice, exactly once per
action. What does not: whether it may be sent (the gate) or what it says (the templates).
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from resources.clock import as_utc
from resources.errors import ChannelError

#: Which form an address has on each channel; a channel that is not listed cannot be sent on.
_ADDRESS_IS_PHONE: Mapping[str, bool] = {
    "email": False,
    "sms": True,
    "whatsapp": True,
    "voice": True,
}


@dataclass(frozen=True)
class Message:
    """One rendered message. `to` is personal data: it lives in this object and at the provider.

    `day` is the day on which the plan is carried out; it stays the same for every attempt, so that
    a repeated send meets the first one. `cost` is the tariff of the channel in `currency`.
    """

    action_id: str
    lender_id: str
    account_id: str | None
    channel: str
    purpose: str
    to: str
    language: str
    template_id: str
    subject: str | None
    body: str
    day: date
    sent_at_utc: datetime
    cost: Decimal
    currency: str

    def __repr__(self) -> str:
        """Without the address and the text: an object ends up in logs sooner or later."""
        return f"Message(action_id={self.action_id!r}, channel={self.channel!r})"


@dataclass(frozen=True)
class MessageRef:
    """Enough of a message to ask a channel whether it has it."""

    action_id: str
    lender_id: str
    channel: str
    day: date


@dataclass(frozen=True)
class Receipt:
    """What a channel answers: its id of the message, what it cost, when it took it (aware UTC)."""

    provider_message_id: str
    cost: Decimal
    currency: str
    accepted_at: datetime


class Channel(Protocol):
    """A way out. Both calls raise ChannelError, which says whether trying again may help."""

    def send(self, message: Message) -> Receipt:
        """Send once per `action_id`; a second call sends nothing and returns the first receipt."""
        ...

    def find(self, ref: MessageRef) -> Receipt | None:
        """The receipt of an action that was sent, None when it was not."""
        ...


class LocalOutbox:
    """All channels as files: `outbox/<lender>/<channel>/<day>/<action_id>.json`.

    A message appears whole or not at all, and survives a power cut once `send` has returned: the
    bytes are synced, then linked under their final name, which fails when the name exists. The
    link decides which of two senders was first.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def send(self, message: Message) -> Receipt:
        """Write the message unless it is there; see `Channel.send`."""
        _check_address(message)
        target = self._path(
            MessageRef(message.action_id, message.lender_id, message.channel, message.day)
        )
        if target.exists():
            return _receipt(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        body = json.dumps(_document(message), ensure_ascii=False, indent=1).encode()
        handle, scratch_name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=target.parent)
        scratch = Path(scratch_name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(scratch, target)
            except FileExistsError:
                return _receipt(target)
        finally:
            scratch.unlink(missing_ok=True)
        _sync_directory(target.parent)
        return _receipt(target)

    def find(self, ref: MessageRef) -> Receipt | None:
        """The receipt kept in the file; see `Channel.find`."""
        path = self._path(ref)
        return _receipt(path) if path.exists() else None

    def _path(self, ref: MessageRef) -> Path:
        return (
            self._root / ref.lender_id / ref.channel / ref.day.isoformat() / f"{ref.action_id}.json"
        )


def provider_message_id(channel: str, action_id: str) -> str:
    """The local outbox's id of a message: the same for every attempt of one action."""
    return sha256(f"{channel}\x1f{action_id}".encode()).hexdigest()[:32]


def local_channels(outbox_dir: Path) -> dict[str, Channel]:
    """Every channel by name, all of them the one local outbox."""
    outbox = LocalOutbox(outbox_dir)
    return dict.fromkeys(_ADDRESS_IS_PHONE, outbox)


def _check_address(message: Message) -> None:
    try:
        is_phone = _ADDRESS_IS_PHONE[message.channel]
    except KeyError:
        raise ChannelError(
            f"The outbox has no channel {message.channel!r} (action {message.action_id}); "
            f"known ones: {', '.join(_ADDRESS_IS_PHONE)}.",
            is_transient=False,
        ) from None
    looks_right = (
        message.to.startswith("+") and message.to[1:].isdigit() and 8 <= len(message.to) <= 16
        if is_phone
        else message.to.count("@") == 1 and not message.to.startswith("@")
    )
    if not looks_right:
        kind = "an E.164 number" if is_phone else "an e-mail address"
        raise ChannelError(
            f"The address of action {message.action_id} is not {kind}; the {message.channel} "
            "channel refused it. Correct it in the lender's portfolio feed.",
            is_transient=False,
        )


def _document(message: Message) -> dict[str, object]:
    document: dict[str, object] = {
        "action_id": message.action_id,
        "provider_message_id": provider_message_id(message.channel, message.action_id),
        "lender_id": message.lender_id,
        "account_id": message.account_id,
        "channel": message.channel,
        "purpose": message.purpose,
        "to": message.to,
        "language": message.language,
        "template_id": message.template_id,
    }
    if message.subject is not None:
        document["subject"] = message.subject
    document |= {
        "body": message.body,
        "sent_at_utc": as_utc(message.sent_at_utc).isoformat().replace("+00:00", "Z"),
        "cost": str(message.cost),
        "currency": message.currency,
        "tags": {"action_id": message.action_id, "lender_id": message.lender_id},
    }
    return document


def _receipt(path: Path) -> Receipt:
    document = json.loads(path.read_bytes())
    return Receipt(
        provider_message_id=document["provider_message_id"],
        cost=Decimal(document["cost"]),
        currency=document["currency"],
        accepted_at=datetime.fromisoformat(document["sent_at_utc"]).astimezone(UTC),
    )


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
