"""How borrowers answer messages: the protocol, and the world used by default.

Anyone can bring another world: a class with one method, named on the command line as
``MODULE:CLASS`` and called with ``seed=``. It sees one message and the borrower's hidden traits
and returns what happens, in the lender's own words and with delays; the rest (provider payloads,
stream files, loans) is not its business.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from importlib import import_module
from typing import Protocol
from zoneinfo import ZoneInfo

import numpy as np

from simulator.errors import SimulationError
from simulator.people import CHANNELS, SLOTS
from simulator.responsiveness import engagement_chance, slot_of_minutes
from simulator.seeds import generator_for_text

DEFAULT_WORLD = "simulator.world:DefaultWorld"


@dataclass(frozen=True)
class Message:
    """A message as the outbox holds it; ``sent_at`` is aware UTC."""

    action_id: str
    provider_message_id: str
    lender_id: str
    account_id: str | None
    channel: str
    purpose: str
    to: str
    language: str
    template_id: str
    body: str
    sent_at: datetime
    subject: str | None = None


@dataclass(frozen=True)
class Borrower:
    """Whom the message reaches: the account's position at the last closed day, and hidden traits.

    ``account_id`` is the account the message is about, or the borrower's first one.
    ``willingness`` is standard normal; ``persuadability`` and ``digital`` are 0 to 1;
    ``best_slot`` is one of morning, midday, afternoon, evening (local).
    """

    customer_id: str
    account_id: str
    full_name: str
    country: str
    time_zone: str
    currency: str
    overdue_amount: Decimal
    emi_amount: Decimal
    days_past_due: int
    best_channel: str
    best_slot: str
    willingness: float
    persuadability: float
    digital: float
    interest: str
    is_in_income_shock: bool


@dataclass(frozen=True)
class Event:
    """Something a provider reports about the message.

    Attributes:
        kind: sent, delivered, bounced, complained, opened, clicked, replied, opted_out, failed,
            answered, voicemail or no_answer; each channel's provider can report only some
            (:mod:`simulator.provider_payloads`).
        after: time from the sending to the event itself.
        transport: time from the event to its arrival at the lender.
        text: what the borrower wrote, for replied and opted_out.
        copies: how often the provider delivers it; real ones deliver at least once.
    """

    kind: str
    after: timedelta
    transport: timedelta = timedelta(seconds=2)
    text: str = ""
    copies: int = 1


@dataclass(frozen=True)
class Payment:
    """Money the borrower sends because of the message, towards the message's account."""

    amount: Decimal
    after: timedelta
    method: str = "upi"


class Clock(Protocol):
    """Tells the time; the simulator passes one that stands at the moment of sending."""

    def now(self) -> datetime:
        """Aware UTC."""
        ...


@dataclass(frozen=True)
class StoppedClock:
    """A clock that stands still."""

    at: datetime

    def now(self) -> datetime:
        """The moment it stands at."""
        return self.at


class World(Protocol):
    """Decides how a borrower reacts to one message.

    The answer must depend on the arguments and the world's own seed alone: the same message may
    be asked about twice after a crash, and both answers must be the same. Delays are not
    negative. A payment larger than what is overdue when it arrives is cut down to it.
    """

    def respond(
        self, message: Message, borrower: Borrower, clock: Clock
    ) -> tuple[list[Event], list[Payment]]:
        """Events that the provider will report, and payments that will follow."""
        ...


_DUPLICATE_SHARE, _SLOW_SHARE = 0.01, 0.01
_FAILED_SHARE = {"email": 0.02, "sms": 0.03, "whatsapp": 0.03, "voice": 0.03}
_OPT_OUT_SHARE = {"email": 0.004, "sms": 0.006, "whatsapp": 0.004, "voice": 0.0}
_COMPLAINT_SHARE = 0.001
_REPLIES = ("I will pay on Friday", "Paid, please check", "Need more time", "Please call me")


class DefaultWorld:
    """Borrowers who react as the legacy contact log says, and pay when persuaded.

    Reaction follows :func:`simulator.responsiveness.engagement_chance`, with the local hour of
    sending; an engaged borrower with arrears pays with a chance that grows with persuadability
    and willingness and falls in an income shock. One event in a hundred is delivered twice, one
    in a hundred arrives hours late.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def respond(
        self, message: Message, borrower: Borrower, clock: Clock
    ) -> tuple[list[Event], list[Payment]]:
        """See :class:`World`. Seeded by the message's action id."""
        rng = generator_for_text(self._seed, message.action_id)
        if rng.random() < _FAILED_SHARE.get(message.channel, 0.0):
            kind = "bounced" if message.channel == "email" else "failed"
            return [_event(rng, "sent", 1), _event(rng, kind, 4)], []
        local = clock.now().astimezone(ZoneInfo(borrower.time_zone))
        chance = engagement_chance(
            CHANNELS.index(message.channel),
            slot_of_minutes(local.hour * 60 + local.minute),
            CHANNELS.index(borrower.best_channel),
            SLOTS.index(borrower.best_slot),
            borrower.willingness,
        )
        is_engaged = bool(rng.random() < chance)
        events = _STORIES[message.channel](rng, is_engaged)
        if rng.random() < _OPT_OUT_SHARE.get(message.channel, 0.0):
            events.append(_event(rng, "opted_out", 600, text="STOP"))
        return events, _payments(rng, message, borrower, is_engaged)


def _event(rng: np.random.Generator, kind: str, seconds: float, text: str = "") -> Event:
    transport = 1 + rng.random() * 5
    if rng.random() < _SLOW_SHARE:
        transport += rng.random() * 6 * 3_600
    copies = 2 if rng.random() < _DUPLICATE_SHARE else 1
    return Event(kind, _seconds(seconds), _seconds(transport), text, copies)


def _seconds(value: float) -> timedelta:
    return timedelta(milliseconds=round(value * 1_000))


def _email(rng: np.random.Generator, is_engaged: bool) -> list[Event]:
    events = [_event(rng, "sent", 1), _event(rng, "delivered", 3 + rng.random() * 10)]
    if is_engaged:
        opened = 120 + rng.exponential(3 * 3_600)
        events.append(_event(rng, "opened", opened))
        if rng.random() < 0.45:
            events.append(_event(rng, "clicked", opened + 20 + rng.random() * 120))
    if rng.random() < _COMPLAINT_SHARE:
        events.append(_event(rng, "complained", 3_600 + rng.random() * 7_200))
    return events


def _sms(rng: np.random.Generator, is_engaged: bool) -> list[Event]:
    events = [_event(rng, "sent", 1), _event(rng, "delivered", 4 + rng.random() * 20)]
    if is_engaged:
        reply = _REPLIES[int(rng.integers(len(_REPLIES)))]
        events.append(_event(rng, "replied", 90 + rng.exponential(3_600), reply))
    return events


def _whatsapp(rng: np.random.Generator, is_engaged: bool) -> list[Event]:
    events = [_event(rng, "sent", 1), _event(rng, "delivered", 3 + rng.random() * 30)]
    if is_engaged:
        opened = 60 + rng.exponential(3_600)
        events.append(_event(rng, "opened", opened))
        if rng.random() < 0.4:
            reply = _REPLIES[int(rng.integers(len(_REPLIES)))]
            events.append(_event(rng, "replied", opened + 30 + rng.random() * 300, reply))
    return events


def _voice(rng: np.random.Generator, is_engaged: bool) -> list[Event]:
    missed = "voicemail" if rng.random() < 0.37 else "no_answer"
    end = "answered" if is_engaged else missed
    return [_event(rng, "sent", 0), _event(rng, end, 12 + rng.random() * 20)]


_STORIES: dict[str, Callable[[np.random.Generator, bool], list[Event]]] = {
    "email": _email,
    "sms": _sms,
    "whatsapp": _whatsapp,
    "voice": _voice,
}


def _payments(
    rng: np.random.Generator, message: Message, borrower: Borrower, is_engaged: bool
) -> list[Payment]:
    if message.purpose != "collections" or borrower.overdue_amount <= 0:
        return []
    push = 0.5 + 0.8 * borrower.willingness - 1.5 * borrower.is_in_income_shock
    push -= 0.012 * min(borrower.days_past_due, 120)
    chance = borrower.persuadability / (1 + np.exp(-push))
    if rng.random() >= chance * (0.9 if is_engaged else 0.08):
        return []
    whole = rng.random() < 0.75
    amount = borrower.overdue_amount if whole else min(borrower.emi_amount, borrower.overdue_amount)
    after = _seconds(1_800 + rng.exponential(30 * 3_600))
    return [Payment(amount, after, "upi" if borrower.country == "IN" else "card")]


def load_world(name: str, seed: int) -> World:
    """The world of ``MODULE:CLASS``, made with ``seed``.

    Raises:
        SimulationError: the name is not of that form, or nothing usable stands there.
    """
    module_name, colon, class_name = name.partition(":")
    if not (module_name and colon and class_name):
        raise SimulationError(
            f"--world is {name!r}; write MODULE:CLASS, such as {DEFAULT_WORLD}.", exit_code=2
        )
    try:
        maker = getattr(import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise SimulationError(
            f"--world {name} cannot be loaded: {error}. Is its folder on PYTHONPATH?", exit_code=2
        ) from error
    world: World = maker(seed=seed)
    if not callable(getattr(world, "respond", None)):
        raise SimulationError(
            f"--world {name} has no method respond(message, borrower, clock).", exit_code=2
        )
    return world
