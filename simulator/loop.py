"""The loop: borrowers answer the outbox, and the lender's days go on.

Each call first *promises* and then *does*. The promise is one atomic write of the control file:
which messages are now answered, every event and payment that will follow, and how far this call
goes. Doing it (stream files, landing files, the loans' new state) is a pure function of that
promise, and every file is written by rename with content that the promise decides. So a process
may die anywhere: the next call first finishes the promise, finds some files already there, byte
for byte, and doubles nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from simulator import hidden
from simulator.borrowers import Directory
from simulator.calendar import day_number, day_start, lender_day, to_date, to_instant
from simulator.control import Control, load_control, save_control
from simulator.delivery import deliver, last_delivered_day, release_held
from simulator.errors import SimulationError
from simulator.feeds.payments import METHODS
from simulator.files import plain_content, write_atomically
from simulator.lender import Response, SimulatedLender
from simulator.outbox import unanswered
from simulator.provider_payloads import payload_for
from simulator.world import Event, Message, Payment, StoppedClock, World

_LINES_A_FILE = 10_000
Step = Callable[[str], None]
"""Called with a sentence before each durable step; a test raises in it to die there."""


@dataclass
class RespondSummary:
    """What one call did. ``queued_*`` is still in the air; ``closed_through`` is a lender day."""

    answered: int
    events: int
    payments: int
    days_closed: int
    files: int
    queued_events: int
    queued_payments: int
    closed_through: date


def respond(
    home: Path,
    *,
    world: World,
    seed: int,
    until: datetime,
    lender_id: str = "meridian",
    on_step: Step = lambda _: None,
) -> RespondSummary:
    """Answer the outbox and let the lender's days pass, up to ``until``.

    Writes provider events that arrive by then to ``stream/<lender>/shard-0000``, closes every
    lender day whose files are delivered by then (with the payments that messages caused), and
    releases late files. Later events and payments wait for a later call. Repeating a call
    changes nothing.

    Args:
        home: where the lender was generated; holds ``outbox/``.
        world: how borrowers react.
        seed: the lender's seed; refused when the lender was made with another.
        until: aware UTC.
        lender_id: which lender.
        on_step: told what happens next.

    Raises:
        SimulationError: no such lender, another seed, a message that is nobody's, or a stream
            that someone else has written to.
    """
    place = hidden.root(home, lender_id)
    control = load_control(place)
    if control is None:
        raise SimulationError(
            f"{home} holds no simulated lender {lender_id!r}; run `paymentor simulate` first.",
            exit_code=3,
        )
    if control.seed != seed:
        raise SimulationError(
            f"Lender {lender_id!r} was made with seed {control.seed}, not {seed}; "
            f"pass --seed {control.seed}.",
            exit_code=2,
        )
    summary = RespondSummary(0, 0, 0, 0, 0, 0, 0, date.fromisoformat(control.closed_through))
    _keep_promise(home, lender_id, control, summary, on_step)
    limit = max(to_instant(until), control.watermark)
    lender = _load(place, control)
    summary.answered = _answer(home, lender_id, control, lender, world, until)
    through = max(last_delivered_day(limit), lender.state.closed)
    control.intent = {"until": limit, "through": through}
    if summary.answered or limit > control.watermark:
        on_step(f"promise {summary.answered} answers")
        save_control(place, control)
        _keep_promise(home, lender_id, control, summary, on_step)
    summary.queued_events, summary.queued_payments = (
        len(control.queued_events), len(control.queued_payments),
    )  # fmt: skip
    return summary


def _load(place: Path, control: Control) -> SimulatedLender:
    end = day_number(date.fromisoformat(control.generated_through))
    return hidden.load(
        place,
        seed=control.seed,
        first_day=end - control.days + 1,
        last_history_day=end,
        closed=day_number(date.fromisoformat(control.closed_through)),
    )


def _answer(
    home: Path,
    lender_id: str,
    control: Control,
    lender: SimulatedLender,
    world: World,
    until: datetime,
) -> int:
    """Ask the world about every new message; its answers go to the queues of ``control``."""
    messages = unanswered(home, lender_id, frozenset(control.answered), until)
    if not messages:
        return 0
    directory = Directory(lender)
    for message in messages:
        account = directory.account_of(message)
        clock = StoppedClock(message.sent_at)
        events, payments = world.respond(message, directory.borrower(account), clock)
        for number, event in enumerate(events):
            control.queued_events += _queued_events(message, event, number, control.watermark)
        for number, payment in enumerate(payments):
            control.queued_payments.append(
                _queued_payment(message, payment, number, account, lender.state.closed)
            )
        control.answered.append(message.action_id)
    control.queued_events.sort(key=lambda e: (e["arrived_at"], e["action_id"], e["number"]))
    return len(messages)


def _queued_events(
    message: Message, event: Event, number: int, watermark: int
) -> list[dict[str, Any]]:
    """An event's lines-to-be; nothing may arrive before a moment that was already passed on."""
    _check_delay(message, event.after)
    _check_delay(message, event.transport)
    provider, payload = payload_for(message, event)
    arrival = message.sent_at + event.after + event.transport
    earliest = watermark * 1_000 + 1
    return [
        {
            "arrived_at": max(round(arrival.timestamp() * 1_000), earliest) + copy * 1_500,
            "action_id": message.action_id,
            "number": number,
            "provider": provider,
            "payload": payload,
        }
        for copy in range(event.copies)
    ]


def _queued_payment(
    message: Message, payment: Payment, number: int, account: int, closed: int
) -> dict[str, Any]:
    """A payment-to-be; money cannot arrive on a day that is already closed."""
    _check_delay(message, payment.after)
    if payment.method not in METHODS or payment.amount <= 0:
        raise SimulationError(
            f"The world lets message {message.action_id} cause {payment}; "
            f"the amount must be above 0 and the method one of {', '.join(METHODS)}."
        )
    paid_at = to_instant(message.sent_at + payment.after)
    return {
        "id": f"W{message.action_id[:24]}-{number}",
        "account": account,
        "amount": int(payment.amount.scaleb(2).to_integral_value()),
        "paid_at": max(paid_at, day_start(closed + 1) + 3_600),
        "method": METHODS.index(payment.method),
    }


def _check_delay(message: Message, delay: timedelta) -> None:
    if delay < timedelta(0):
        raise SimulationError(
            f"The world answers message {message.action_id} {delay} after it was sent; "
            "delays must not be negative."
        )


def _keep_promise(
    home: Path, lender_id: str, control: Control, summary: RespondSummary, on_step: Step
) -> None:
    """Do what the intent says, then forget it; safe to repeat from any point."""
    if control.intent is None:
        return
    place, until = hidden.root(home, lender_id), int(control.intent["until"])
    arrived = [e for e in control.queued_events if e["arrived_at"] <= until * 1_000]
    _write_stream(home, lender_id, control.next_sequence, arrived, on_step)
    through, closed = int(control.intent["through"]), date.fromisoformat(control.closed_through)
    if through > day_number(closed):
        _close_days(home, lender_id, control, through, until, summary, on_step)
    on_step("release late files")
    summary.files += release_held(home, lender_id, until)
    control.next_sequence += len(arrived)
    control.queued_events = control.queued_events[len(arrived) :]
    control.closed_through = to_date(through).isoformat()
    control.queued_payments = [
        payment for payment in control.queued_payments if lender_day(payment["paid_at"]) > through
    ]
    control.watermark, control.intent = until, None
    on_step("keep control")
    save_control(place, control)
    hidden.drop_states_before(place, through)
    summary.events += len(arrived)
    summary.closed_through = to_date(through)


def _write_stream(
    home: Path, lender_id: str, first: int, events: list[dict[str, Any]], on_step: Step
) -> None:
    """Append the arrived events; a file that is already there must be exactly ours."""
    shard = home / "stream" / lender_id / "shard-0000"
    newest = max((int(path.stem) for path in shard.glob("[0-9]*.jsonl")), default=0)
    if newest >= first + len(events):
        raise SimulationError(
            f"{shard} holds a file that begins at sequence {newest}, beyond what this "
            f"simulator has written ({first - 1}). "
            "Someone else writes to this stream; use an empty home."
        )
    for start in range(0, len(events), _LINES_A_FILE):
        lines = [
            orjson.dumps(
                {
                    "sequence": first + start + offset,
                    "arrived_at_utc": _iso(event["arrived_at"]),
                    "provider": event["provider"],
                    "payload": event["payload"],
                }
            )
            for offset, event in enumerate(events[start : start + _LINES_A_FILE])
        ]
        path = shard / f"{first + start:012d}.jsonl"
        content = b"\n".join(lines) + b"\n"
        if path.exists() and path.read_bytes() != content:
            raise SimulationError(
                f"{path} differs from what was promised for it; someone changed the stream. "
                "Restore the file, or start from an empty home."
            )
        on_step(f"write stream file {path.name}")
        write_atomically(path, content)


def _iso(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds // 1_000, UTC) + timedelta(
        milliseconds=milliseconds % 1_000
    )
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _close_days(
    home: Path,
    lender_id: str,
    control: Control,
    through: int,
    until: int,
    summary: RespondSummary,
    on_step: Step,
) -> None:
    place = hidden.root(home, lender_id)
    lender = _load(place, control)
    while lender.state.closed < through:
        day = lender.state.closed + 1
        responses = [
            Response(p["id"], p["account"], p["amount"], p["paid_at"], p["method"])
            for p in control.queued_payments
            if lender_day(p["paid_at"]) == day
        ]
        for file in lender.close_day(responses):
            on_step(f"deliver {file.name}")
            deliver(home, lender_id, file, plain_content(file), until)
            summary.files += file.delivered_at <= until
            if file.suffix and file.rows is not None:
                summary.payments += file.rows.num_rows
        summary.days_closed += 1
    on_step(f"keep the state of {to_date(through)}")
    hidden.save_state(place, lender.state)
