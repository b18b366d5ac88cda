"""Writing a history: every landing file of a synthetic lender's last so many days."""

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

from simulator import hidden
from simulator.calendar import day_number, to_date
from simulator.control import Control, load_control, save_control
from simulator.dirt import Dirt, DirtyRow
from simulator.errors import SimulationError
from simulator.files import FeedFile, folder, write_atomically
from simulator.lender import found_lender
from simulator.lender_file import write_lender_file

DEFAULT_END = date(2026, 6, 30)
DEFAULT_DIRTY_SHARE = 0.003
_FILES_IN_FLIGHT = 12
Progress = Callable[[int, int], None]


@dataclass
class GenerationSummary:
    """What was written. ``rows`` counts data rows (records, in JSON feeds) by feed, wrong ones included."""

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
    dirt = Dirt(seed, dirty_share)
    with (
        ThreadPoolExecutor(_writers()) as pool,
        (place / "dirty_manifest.jsonl").open("wb") as manifest,
    ):
        waiting: deque[Future[_Written]] = deque()

        def settle() -> None:
            written = waiting.popleft().result()
            manifest.writelines(row.line() for row in written.dirty)
            summary.files += 1
            summary.bytes += written.size
            summary.dirty_rows += len(written.dirty)
            summary.rows[written.feed] = summary.rows.get(written.feed, 0) + written.rows

        for done in range(1, days + 1):
            for file in lender.close_day():
                waiting.append(pool.submit(_write, out, lender_id, dirt, file, *dirt.plan(file)))
                if len(waiting) > _FILES_IN_FLIGHT:
                    settle()
            if progress is not None:
                progress(done, days)
        while waiting:
            settle()
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


def _write(
    out: Path, lender_id: str, dirt: Dirt, file: FeedFile, count: int, serial: int
) -> _Written:
    content, dirty = dirt.soil(file, count, serial)
    write_atomically(folder(out, lender_id, file.feed) / file.name, content)
    clean = file.rows.num_rows if file.rows is not None else sum(file.records_per_line or [])
    return _Written(file.feed, clean + len(dirty), len(content), dirty)


def _writers() -> int:
    return max(1, min(2, os.cpu_count() or 1))


def _check(customers: int, days: int, dirty_share: float, lender_id: str) -> None:
    if customers < 1:
        raise SimulationError(f"--customers is {customers}; give at least 1.", exit_code=2)
    if not 1 <= days <= 1_095:
        raise SimulationError(f"--days is {days}; give 1 to 1095.", exit_code=2)
    if not 0 <= dirty_share <= 0.5:
        raise SimulationError(f"--dirty-share is {dirty_share}; give 0 to 0.5.", exit_code=2)
    if not lender_id.isidentifier() or not lender_id.islower():
        raise SimulationError(
            f"Lender name {lender_id!r} is not usable; give lower-case letters, digits and underscores.",
            exit_code=2,
        )


def _already_there(
    existing: Control, wanted: Control, lender_id: str, out: Path
) -> GenerationSummary:
    if existing.arguments() != wanted.arguments():
        raise SimulationError(
            f"{out} already holds a simulated lender {lender_id!r} made with {existing.arguments()}; "
            f"asked for {wanted.arguments()}. Choose another --out, or delete the old home.",
            exit_code=2,
        )
    told = dict(existing.summary)
    told |= {"first_day": date.fromisoformat(str(told["first_day"])), "last_day": date.fromisoformat(str(told["last_day"])), "is_new": False}  # fmt: skip
    return GenerationSummary(**told)  # type: ignore[arg-type]


__all__ = ["DEFAULT_END", "GenerationSummary", "generate"]
