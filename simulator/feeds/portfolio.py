"""The daily portfolio snapshot: every account on the book at the day's end."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator import columns, places
from simulator import people as folk
from simulator.book import LoanBook
from simulator.loans import account_ids, outstanding

CLOSED_DAYS_SHOWN = 30
"""A settled loan stays in the snapshot, as closed, this many days after its last payment."""


class PortfolioFeed:
    """Builds snapshots; what never changes about an account is formatted once."""

    def __init__(self, book: LoanBook, first_day: int) -> None:
        self._book = book
        self._first_day = first_day
        self._static = _static_columns(book)

    def rows(self, day: int) -> pa.Table:
        """The snapshot of ``day``; columns in contract order."""
        book, loans, state = self._book, self._book.loans, self._book.state
        now = book.position(day)
        is_recent = state.last_payment_day >= max(day - CLOSED_DAYS_SHOWN, self._first_day)
        is_shown = (loans.opened <= day) & (~now.is_settled | is_recent) & ~state.is_sold
        keep = pa.array(np.flatnonzero(is_shown))
        static = self._static.take(keep)
        index = keep.to_numpy()
        status = np.where(state.is_charged_off, 2, np.where(now.is_settled, 1, 0))[index]
        count = len(index)
        overdue = now.overdue[index]
        last_day = state.last_payment_day[index]
        moving = {
            "outstanding_amount": columns.money(outstanding(loans, state.paid, day)[index]),
            "overdue_amount": columns.money(overdue),
            "next_due_date": columns.dates(now.next_due[index], now.next_due[index] < 0),
            "oldest_unpaid_due_date": columns.dates(
                now.oldest_unpaid[index], now.oldest_unpaid[index] < 0
            ),
            "emis_overdue": columns.integers(
                np.where(overdue > 0, (now.due_count - now.paid_count)[index], 0)
            ),
            "days_past_due": columns.integers(now.days_past_due[index]),
            "account_status": columns.pick(("open", "closed", "charged_off"), status),
            "last_payment_date": columns.dates(last_day, last_day < 0),
            "last_payment_amount": columns.money(state.last_payment_amount[index], last_day < 0),
            "snapshot_date": columns.dates(np.full(count, day)),
        }
        return pa.table(
            {name: moving[name] if name in moving else static.column(name) for name in COLUMNS}
        )


COLUMNS = (
    "snapshot_date", "account_id", "customer_id", "full_name", "phone", "email", "national_id",
    "birth_year", "country", "state", "city", "postal_code", "time_zone", "language",
    "employment_type", "declared_monthly_income", "product", "opened_date", "currency",
    "principal_amount", "outstanding_amount", "overdue_amount", "emi_amount", "next_due_date",
    "oldest_unpaid_due_date", "emis_overdue", "days_past_due", "annual_rate", "tenor_months",
    "account_status", "last_payment_date", "last_payment_amount",
)  # fmt: skip


def _static_columns(book: LoanBook) -> pa.Table:
    people, loans = book.people, book.loans
    everyone = np.arange(len(people))
    digits = np.array([place.postal_digits - len(place.postal_prefix) for place in places.PLACES])
    suffix = columns.numbered("", (everyone * 7) % 10 ** digits[people.place], 3)
    suffix = pc.if_else(
        pa.array(digits[people.place] == 2), pc.utf8_slice_codeunits(suffix, 1), suffix
    )
    by_customer = pa.table(
        {
            "customer_id": folk.customer_ids(everyone),
            "full_name": folk.full_names(people),
            "phone": folk.phones(people, everyone),
            "email": folk.emails(people),
            "national_id": folk.national_ids(people),
            "birth_year": columns.integers(people.birth_year),
            "country": columns.pick(folk.COUNTRIES, people.country),
            "state": columns.pick([p.state for p in places.PLACES], people.place),
            "city": columns.pick([p.city for p in places.PLACES], people.place),
            "postal_code": columns.join(
                columns.pick([p.postal_prefix for p in places.PLACES], people.place), suffix
            ),
            "time_zone": columns.pick([p.time_zone for p in places.PLACES], people.place),
            "language": columns.pick(folk.LANGUAGES, people.language),
            "employment_type": columns.pick(folk.EMPLOYMENT, people.employment),
            "declared_monthly_income": columns.money(
                people.declared_income, people.declared_income < 0
            ),
            "currency": columns.pick(folk.CURRENCIES, people.country),
        }
    )
    return by_customer.take(pa.array(loans.customer)).append_column(
        "account_id", account_ids(np.arange(len(loans)))
    ).append_column(
        "product", columns.pick(folk.PRODUCTS, loans.product)
    ).append_column(
        "opened_date", columns.dates(loans.opened)
    ).append_column(
        "principal_amount", columns.money(loans.principal)
    ).append_column(
        "emi_amount", columns.money(loans.emi)
    ).append_column(
        "annual_rate", columns.rates(loans.annual_rate)
    ).append_column(
        "tenor_months", columns.integers(loans.tenor)
    ).combine_chunks()  # fmt: skip
