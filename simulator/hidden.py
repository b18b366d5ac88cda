"""The hidden state on disk: ``simulator/<lender>/``.

``borrowers.parquet`` and ``accounts.parquet`` never change. The moving state of a day lies in
``state/<date>/``; the control file names the day that counts, so writing a new day never
endangers the old one.
"""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from simulator.book import HISTORY_MONTHS, BookState
from simulator.calendar import to_date
from simulator.feeds.consents import ConsentState
from simulator.feeds.deposits import DepositState
from simulator.feeds.registries import RegistryState
from simulator.feeds.transactions import PaymentLog
from simulator.lender import LenderState, SimulatedLender
from simulator.loans import Loans
from simulator.people import People

_BOOK_COLUMNS = (
    "paid", "is_charged_off", "is_sold", "last_payment_day", "last_payment_amount", "promise_day",
    "boost_until",
)  # fmt: skip
_LOG_COLUMNS = ("account", "amount", "status", "day", "is_mandate")


def root(home: Path, lender_id: str) -> Path:
    """The folder of a lender's hidden state."""
    return home / "simulator" / lender_id


def save_constants(folder: Path, lender: SimulatedLender) -> None:
    """People and loans."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(lender.people.table(), folder / "borrowers.parquet")
    pq.write_table(lender.loans.table(), folder / "accounts.parquet")


def save_state(folder: Path, state: LenderState) -> None:
    """The moving state of ``state.closed``, in its own folder."""
    target = _state_folder(folder, state.closed)
    target.mkdir(parents=True, exist_ok=True)
    book = {name: pa.array(getattr(state.book, name)) for name in _BOOK_COLUMNS}
    history = np.ascontiguousarray(state.book.history).view(f"S{HISTORY_MONTHS}").ravel()
    tables = {
        "book": pa.table({**book, "history": pa.array(history.astype(str))}),
        "registries": state.registries.table(),
        "consents": state.consents.table(),
        "deposits": state.deposits.table(),
        "payments": pa.table({name: pa.array(getattr(state.log, name)) for name in _LOG_COLUMNS}),
    }
    for name, table in tables.items():
        pq.write_table(table, target / f"{name}.parquet")


def load(
    folder: Path, *, seed: int, first_day: int, last_history_day: int, closed: int
) -> SimulatedLender:
    """The lender as it stood at the end of day ``closed``."""
    at = _state_folder(folder, closed)
    book = pq.read_table(at / "book.parquet")
    text = book["history"].to_numpy().astype(f"S{HISTORY_MONTHS}")
    history = text.view("uint8").reshape(-1, HISTORY_MONTHS).copy()
    log = pq.read_table(at / "payments.parquet")
    state = LenderState(
        closed=closed,
        book=BookState(
            **{name: book[name].to_numpy().copy() for name in _BOOK_COLUMNS}, history=history
        ),
        registries=RegistryState.from_table(pq.read_table(at / "registries.parquet")),
        consents=ConsentState.from_table(pq.read_table(at / "consents.parquet")),
        deposits=DepositState.from_table(pq.read_table(at / "deposits.parquet")),
        log=PaymentLog(**{name: log[name].to_numpy().copy() for name in _LOG_COLUMNS}),
    )
    return SimulatedLender(
        seed,
        first_day,
        last_history_day,
        People.from_table(pq.read_table(folder / "borrowers.parquet")),
        Loans.from_table(pq.read_table(folder / "accounts.parquet")),
        state,
    )


def drop_states_before(folder: Path, closed: int) -> None:
    """Remove the states of days before ``closed``; nothing refers to them any more."""
    for old in (folder / "state").glob("*"):
        if old.name < to_date(closed).isoformat():
            shutil.rmtree(old)


def _state_folder(folder: Path, day: int) -> Path:
    return folder / "state" / to_date(day).isoformat()
