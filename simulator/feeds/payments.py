"""Payments: what was collected, what bounced, what was taken back."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from simulator import columns
from simulator import people as folk
from simulator.book import DayPayments, LoanBook
from simulator.calendar import SECONDS_PER_DAY, day_start, to_date
from simulator.loans import account_ids, instalments_due
from simulator.seeds import generator

METHODS = ("upi", "nach", "ach", "card", "cash", "cheque")
STATUSES = ("success", "bounced", "reversed")
_NACH, _ACH = 1, 2


def rows(seed: int, book: LoanBook, day: int, payments: DayPayments) -> pa.Table:
    """The payment rows of ``day``, in order of account; columns in contract order.

    A mandate's own collection is ``nach`` (India) or ``ach`` (United States), made on the due
    day; money sent later comes by the borrower's own method.
    """
    order = np.lexsort((payments.status, payments.account))
    account, amount = payments.account[order], payments.amount[order]
    status = payments.status[order]
    rng = generator(seed, "payment-times", day)
    seconds = np.sort(rng.integers(0, SECONDS_PER_DAY, len(account)))
    rng.shuffle(seconds)
    return table(
        book,
        ids=columns.numbered(f"P{to_date(day):%Y%m%d}", np.arange(len(account)), 6),
        account=account,
        amount=amount,
        status=status,
        paid_at=day_start(day) + seconds,
        day=day,
        method=_methods(book, day, account, status),
    )


def _methods(
    book: LoanBook, day: int, account: npt.NDArray[np.int64], status: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    loans = book.loans
    is_due = instalments_due(loans, day)[account] > instalments_due(loans, day - 1)[account]
    by_mandate = (is_due & loans.has_mandate[account]) | (status == 1)
    mandate = np.where(book.people.country[loans.customer[account]] == folk.INDIA, _NACH, _ACH)
    return np.where(by_mandate, mandate, loans.method[account])


def table(
    book: LoanBook,
    *,
    ids: pa.Array,
    account: npt.NDArray[np.int64],
    amount: npt.NDArray[np.int64],
    status: npt.NDArray[np.int64],
    paid_at: npt.NDArray[np.int64],
    day: int,
    method: npt.NDArray[np.int64],
) -> pa.Table:
    """Payment rows in contract order from their parts."""
    customer = book.loans.customer[account]
    return pa.table(
        {
            "payment_id": ids,
            "account_id": account_ids(account),
            "customer_id": folk.customer_ids(customer),
            "value_date": columns.dates(np.full(len(account), day)),
            "paid_at_utc": columns.instants(paid_at),
            "amount": columns.money(amount),
            "currency": columns.pick(folk.CURRENCIES, book.people.country[customer]),
            "method": columns.pick(METHODS, method),
            "status": columns.pick(STATUSES, status),
        }
    )
