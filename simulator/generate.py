"""Writing a history: every landing file of a synthetic lender's last so many days."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Self

from simulator import hidden
from simulator.calendar import day_number, to_date
from simulator.control import Control, load_control, save_control
from simulator.delivery import cutoff_instant, deliver
from simulator.dirt import Dirt, DirtyRow
from simulator.errors import SimulationError
from simulator.files import FeedFile
from simulator.lender import found_lender
from simulator.lender_file import write_lender_file

DEFAULT_END = date(2026, 6, 30)
DEFAULT_DIRTY_SHARE = 0.003
_FILES_IN_FLIGHT = 12
Progress = Callable[[int, int], None]


@dataclass
class GenerationSummary:
    """What was written.

    ``rows`` counts data rows by feed (in JSON feeds: records), wrong ones included; ``files``
    includes the few that are held until their delivery time.
    """

    lender_id: str
    customers: int
    accounts: int
    first_day: date
    last_day: date
    files: int = 0
    bytes: int = 0
    dirty_rows: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    is_new: bool = True

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return asdict(self) | {
            "first_day": self.first_day.isoformat(), "last_day": self.last_day.isoformat()
        }  # fmt: skip


def generate(
    out: Path,
    *,
    lender_id: str = "meridian",
    customers: int,
    days: int,
    seed: int,
    end: date = DEFAULT_END,
    dirty_share: float = DEFAULT_DIRTY_SHARE,
    progress: Progress | None = None,
) -> GenerationSummary:
    """Write a synthetic lender's landing files, contract and hidden state under ``out``.

    The same arguments give the same bytes. Repeating a finished generation writes nothing.

    Args:
        out: the platform's home; receives ``landing/``, ``lenders/`` and ``simulator/``.
        lender_id: name of the lender, also of its folders.
        customers: how many borrowers.
        days: how many business days of files, ending on ``end``.
        seed: decides everything that is drawn.
        end: the last business day.
        dirty_share: share of wrong rows added to the rows of each feed.
        progress: called with (days done, days) after each day.

    Raises:
        SimulationError: impossible arguments, or ``out`` already holds another lender's history
            under this name.
    """
    _check(customers, days, dirty_share, lender_id)
    place = hidden.root(out, lender_id)
    control = Control(
        seed=seed, customers=customers, days=days, dirty_share=dirty_share,
        generated_through=end.isoformat(), closed_through=end.isoformat(),
    )  # fmt: skip
    existing = load_control(place)
    if existing is not None:
        return _already_there(existing, control, lender_id, out)
    last = day_number(end)
    first = last - days + 1
    lender = found_lender(seed, customers, first, last, end.year)
    summary = GenerationSummary(lender_id, customers, len(lender.loans), to_date(first), end)
    write_lender_file(out, lender_id, customers)
    place.mkdir(parents=True, exist_ok=True)
    with _Writer(out, summary, Dirt(seed, dirty_share), cutoff_instant(last)) as writer:
        for done in range(1, days + 1):
            for file in lender.close_day():
                writer.take(file)
            if progress is not None:
                progress(done, days)
    hidden.save_constants(place, lender)
    hidden.save_state(place, lender.state)
    control.summary = summary.to_json()
    save_control(place, control)
    return summary


@dataclass(frozen=True)
class _Written:
    feed: str
    rows: int
    size: int
    dirty: list[DirtyRow]


class _Writer:
    """Formats and writes files on a second thread while the next day is simulated.

    Wrong rows are assigned, and results are counted, in delivery order, so that threads decide
    nothing. Files held back past the last cut-off stay clean: the manifest tells of files that
    have been delivered.
    """

    def __init__(self, out: Path, summary: GenerationSummary, dirt: Dirt, until: int) -> None:
        self._out, self._summary, self._dirt, self._until = out, summary, dirt, until
        self._pool = ThreadPoolExecutor(1)
        self._waiting: deque[Future[_Written]] = deque()
        manifest = hidden.root(out, summary.lender_id) / "dirty_manifest.jsonl"
        self._manifest = manifest.open("wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._manifest, self._pool:
            while self._waiting:
                self._settle()

    def take(self, file: FeedFile) -> None:
        """Queue one file; waits when too many are in flight, so memory stays bounded."""
        count, serial = self._dirt.plan(file) if file.delivered_at <= self._until else (0, 0)
        self._waiting.append(self._pool.submit(self._write, file, count, serial))
        if len(self._waiting) > _FILES_IN_FLIGHT:
            self._settle()

    def _write(self, file: FeedFile, count: int, serial: int) -> _Written:
        content, dirty = self._dirt.soil(file, count, serial)
        deliver(self._out, self._summary.lender_id, file, content, self._until)
        return _Written(file.feed, file.records + len(dirty), len(content), dirty)

    def _settle(self) -> None:
        written, summary = self._waiting.popleft().result(), self._summary
        self._manifest.writelines(row.line() for row in written.dirty)
        summary.files += 1
        summary.bytes += written.size
        summary.dirty_rows += len(written.dirty)
        summary.rows[written.feed] = summary.rows.get(written.feed, 0) + written.rows


def _check(customers: int, days: int, dirty_share: float, lender_id: str) -> None:
    if customers < 1:
        raise SimulationError(f"--customers is {customers}; give at least 1.", exit_code=2)
    if not 1 <= days <= 1_095:
        raise SimulationError(f"--days is {days}; give 1 to 1095.", exit_code=2)
    if not 0 <= dirty_share <= 0.5:
        raise SimulationError(f"--dirty-share is {dirty_share}; give 0 to 0.5.", exit_code=2)
    if not lender_id.isidentifier() or not lender_id.islower():
        raise SimulationError(
            f"Lender name {lender_id!r} is not usable; use a-z, 0-9 and _.",
            exit_code=2,
        )


def _already_there(
    existing: Control, wanted: Control, lender_id: str, out: Path
) -> GenerationSummary:
    if existing.arguments() != wanted.arguments():
        raise SimulationError(
            f"{out} already holds a simulated lender {lender_id!r} made with "
            f"{existing.arguments()}; asked for {wanted.arguments()}. "
            "Choose another --out, or delete the old home.",
            exit_code=2,
        )
    told: dict[str, Any] = dict(existing.summary)
    for name in ("first_day", "last_day"):
        told[name] = date.fromisoformat(told[name])
    return GenerationSummary(**{**told, "is_new": False})


__all__ = ["DEFAULT_END", "GenerationSummary", "generate"]
