"""The control file: how a lender was made, how far it has come, and what is in the air.

``simulator/<lender>/control.json`` is replaced by one rename. It is the only thing that says
which state counts, so whatever was being written when a process died is either finished by the
next one (see :mod:`simulator.loop`) or never referred to.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from simulator.files import write_atomically

_NAME = "control.json"


@dataclass
class Control:
    """See the module.

    Attributes:
        seed, customers, days, dirty_share, generated_through: how the history was made.
        closed_through: the last lender day whose files are all delivered.
        summary: what the generation wrote.
        answered: action ids of the messages already answered.
        next_sequence: the sequence number of the next line of the stream.
        watermark: the latest ``until`` (epoch seconds) of a finished call; nothing may arrive
            at the stream before it any more.
        queued_events: events on their way: ``{"arrived_at", "provider", "payload"}``.
        queued_payments: payments on their way: ``{"id", "account", "amount", "paid_at"}``.
        intent: what the present call has promised to do and must be finished first.
    """

    seed: int
    customers: int
    days: int
    dirty_share: float
    generated_through: str
    closed_through: str
    summary: dict[str, Any] = field(default_factory=dict)
    answered: list[str] = field(default_factory=list)
    next_sequence: int = 1
    watermark: int = 0
    queued_events: list[dict[str, Any]] = field(default_factory=list)
    queued_payments: list[dict[str, Any]] = field(default_factory=list)
    intent: dict[str, Any] | None = None

    def arguments(self) -> dict[str, object]:
        """What ``generate`` was asked for."""
        names = ("seed", "customers", "days", "dirty_share", "generated_through")
        return {name: getattr(self, name) for name in names}


def load_control(folder: Path) -> Control | None:
    """The control file, or None when the lender was never (completely) generated."""
    path = folder / _NAME
    return Control(**orjson.loads(path.read_bytes())) if path.exists() else None


def save_control(folder: Path, control: Control) -> None:
    """Replace the control file in one rename."""
    write_atomically(folder / _NAME, orjson.dumps(asdict(control)))
