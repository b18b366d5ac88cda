"""Bureau reports: score, tradelines (the lender's own among them), and enquiries.

Own tradelines repeat the book: the balance and arrears of the report date and the real
month-end history. Loans with other lenders follow the same hidden willingness and the same
income shocks, so a report says something true about the borrower. Histories are Metro 2 style:
newest month first, digits are months late, ``B`` before opening, ``L`` charged off, ``E`` closed.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from simulator import columns
from simulator import people as folk
from simulator.book import CODE_BEFORE, HISTORY_MONTHS, LoanBook
from simulator.calendar import months_since_epoch, to_date
from simulator.loans import outstanding
from simulator.people import INDIA, PRODUCTS
from simulator.seeds import generator

Ints = npt.NDArray[np.int64]
EVERY_DAYS = 30
_OWN_LABEL_OFFSET = 100
_CREDIT_CARD = PRODUCTS.index("credit_card")
_MAX_LATE = 6


class Bureau:
    """Loans with other lenders, and the reports that show them beside our own."""

    def __init__(self, seed: int, book: LoanBook, first_month: int) -> None:
        self._seed, self._book, self._first_month = seed, book, first_month
        people, rng = book.people, generator(seed, "bureau")
        self.customer = np.repeat(
            np.arange(len(people)), np.minimum(rng.poisson(1.5, len(people)), 6)
        )
        count = len(self.customer)
        self._product = rng.integers(0, len(PRODUCTS), count)
        self._opened_month = first_month + 24 - rng.integers(2, 90, count)
        self._tenor = rng.choice([12, 24, 36, 60, 120], count)
        self.emi = (people.income[self.customer] * rng.uniform(0.03, 0.12, count) / 100).astype(
            "int64"
        ) * 100
        self._luck = rng.normal(0, 0.5, count)
        self._codes: list[npt.NDArray[np.uint8]] = []
        self._late = np.zeros(count, dtype="int64")
        self._score_noise = rng.normal(0, 28, len(people))
        self._is_no_hit = rng.random(len(people)) < 0.04

    def emi_of(self, customer: Ints, month: int) -> Ints:
        """Cents a month each customer pays to other lenders in a calendar month."""
        is_open = (self._opened_month < month) & (month <= self._opened_month + self._tenor)
        total = np.bincount(self.customer, self.emi * is_open, len(self._book.people))
        return total.astype("int64")[customer]

    def _month_codes(self, month: int) -> npt.NDArray[np.uint8]:
        """History code of every outside loan at the end of a month, drawn month by month."""
        while len(self._codes) <= month - self._first_month:
            self._codes.append(self._next_codes())
        return self._codes[month - self._first_month]

    def _next_codes(self) -> npt.NDArray[np.uint8]:
        month = self._first_month + len(self._codes)
        people = self._book.people
        draw = generator(self._seed, "bureau-months", month).random(len(self.customer))
        shock = self._book.shocks.during(month)[self.customer]
        worse = 1 / (
            1 + np.exp(3.0 + 0.9 * people.willingness[self.customer] + self._luck - 1.9 * shock)
        )
        still = np.where(shock, 0.55, 0.30)
        falls = np.where(self._late == 0, draw < worse, draw < still)
        self._late = np.where(falls, np.minimum(self._late + 1, _MAX_LATE), 0)
        is_open = (self._opened_month <= month) & (month <= self._opened_month + self._tenor)
        self._late = np.where(is_open, self._late, 0)
        codes = np.where(self._opened_month > month, CODE_BEFORE, self._late + ord("0"))
        closed = month > self._opened_month + self._tenor
        return np.where(closed, ord("E"), codes).astype("uint8")

    def rows(self, day: int) -> dict[str, pa.Table]:
        """The three bureau feeds of a report ``day``."""
        customers = np.arange(len(self._book.people))
        outside = self._outside_lines(day)
        own = self._own_lines(day)
        lines = _concat(own, outside)
        lines = lines.take(pa.array(np.lexsort((lines["label"], lines["customer"]))))
        label = lines["label"].to_numpy()
        customer = lines["customer"].to_numpy()
        return {
            "bureau_reports": self._reports(day, customers, own, outside),
            "bureau_tradelines": pa.table(
                {
                    "report_id": _report_ids(day, customer),
                    "tradeline_id": columns.numbered("L", label, 3),
                    "customer_id": folk.customer_ids(customer),
                    "report_date": columns.dates(np.full(len(label), day)),
                    **{name: lines[name] for name in _LINE_COLUMNS},
                }
            ),
            "bureau_enquiries": self._enquiries(day),
        }

    def _own_lines(self, day: int) -> pa.Table:
        book, loans, state = self._book, self._book.loans, self._book.state
        now = book.position(day)
        shown = np.flatnonzero(loans.opened <= day)
        rank = shown - np.searchsorted(loans.customer, loans.customer[shown])
        settled = now.is_settled[shown]
        is_card = loans.product[shown] == _CREDIT_CARD
        return pa.table(
            {
                "customer": loans.customer[shown],
                "label": rank + 1,
                "product": columns.pick(PRODUCTS, loans.product[shown]),
                "is_own_account": columns.booleans(np.ones(len(shown))),
                "opened_date": columns.dates(loans.opened[shown]),
                "closed_date": columns.dates(
                    state.last_payment_day[shown], ~settled | (state.last_payment_day[shown] < 0)
                ),
                "currency": columns.pick(
                    folk.CURRENCIES, book.people.country[loans.customer[shown]]
                ),
                "sanctioned_amount": columns.money(loans.principal[shown]),
                "current_balance": columns.money(outstanding(loans, state.paid, day)[shown]),
                "overdue_amount": columns.money(now.overdue[shown]),
                "emi_amount": columns.money(loans.emi[shown]),
                "credit_limit": columns.money(loans.principal[shown], ~is_card),
                "payment_history": _histories(state.history[shown]),
            }
        )

    def _outside_lines(self, day: int) -> pa.Table:
        people, month = self._book.people, int(months_since_epoch(day + 1)) - 1
        codes = np.stack([self._codes_or_before(month - i) for i in range(HISTORY_MONTHS)], axis=1)
        age = month - self._opened_month
        shown = np.flatnonzero(age >= 0)
        left = np.clip(1 - age / self._tenor, 0, 1)[shown]
        late = np.where(codes[shown, 0] <= ord("6"), codes[shown, 0].astype("int64") - ord("0"), 0)
        closed = codes[shown, 0] == ord("E")
        label = np.arange(len(self.customer)) - np.searchsorted(self.customer, self.customer)
        emi = self.emi[shown]
        sanctioned = emi * np.round(self._tenor[shown] * 0.8).astype("int64")
        is_card = self._product[shown] == _CREDIT_CARD
        balance = np.maximum((sanctioned * left / 100).astype("int64") * 100, late * emi)
        opened = np.datetime64("1970-01-01", "M") + self._opened_month[shown]
        opened_day = opened.astype("datetime64[D]").astype("int64") + 9
        closing = (
            np.datetime64("1970-01-01", "M") + (self._opened_month + self._tenor)[shown]
        ).astype("datetime64[D]").astype("int64") + 9
        return pa.table(
            {
                "customer": self.customer[shown],
                "label": label[shown] + 1 + _OWN_LABEL_OFFSET,
                "product": columns.pick(PRODUCTS, self._product[shown]),
                "is_own_account": columns.booleans(np.zeros(len(shown))),
                "opened_date": columns.dates(opened_day),
                "closed_date": columns.dates(closing, ~closed),
                "currency": columns.pick(folk.CURRENCIES, people.country[self.customer[shown]]),
                "sanctioned_amount": columns.money(sanctioned),
                "current_balance": columns.money(np.where(closed, 0, balance)),
                "overdue_amount": columns.money(np.where(closed, 0, late * emi)),
                "emi_amount": columns.money(emi, is_card),
                "credit_limit": columns.money(sanctioned, ~is_card),
                "payment_history": _histories(codes[shown]),
            }
        )

    def _codes_or_before(self, month: int) -> npt.NDArray[np.uint8]:
        if month < self._first_month:
            return np.full(len(self.customer), CODE_BEFORE, dtype="uint8")
        return self._month_codes(month)

    def _reports(self, day: int, customers: Ints, own: pa.Table, outside: pa.Table) -> pa.Table:
        people = self._book.people
        score = 735 + 55 * people.willingness + self._score_noise
        for lines in (own, outside):
            who = lines["customer"].to_numpy()
            overdue = lines["overdue_amount"].cast(pa.float64()).to_numpy() > 0
            score = score - 38 * np.minimum(np.bincount(who, overdue, len(people)), 3)
        score = score - 30 * self._book.shocks.during(int(months_since_epoch(day)))
        score = np.clip(
            np.round(score + generator(self._seed, "scores", day).normal(0, 6, len(people))),
            300,
            880,
        )
        india = people.country == INDIA
        bureau = np.where(
            india, np.where(customers % 3 == 0, 1, 0), np.where(customers % 2 == 0, 1, 2)
        )
        return pa.table(
            {
                "report_id": _report_ids(day, customers),
                "customer_id": folk.customer_ids(customers),
                "national_id": folk.national_ids(people),
                "bureau": columns.pick(("cibil", "experian", "equifax"), bureau),
                "report_date": columns.dates(np.full(len(customers), day)),
                "score": columns.integers(score, self._is_no_hit),
            }
        )

    def _enquiries(self, day: int) -> pa.Table:
        """Enquiries of the 180 days before the report; each report lists its own."""
        people = self._book.people
        rng = generator(self._seed, "enquiries", day)
        shock = self._book.shocks.during(int(months_since_epoch(day)))
        number = rng.poisson(0.55 + 0.9 * shock + 0.25 * (people.willingness < -0.7))
        customer = np.repeat(np.arange(len(people)), number)
        count = len(customer)
        rank = np.arange(count) - np.repeat(np.cumsum(number) - number, number)
        amount = (
            np.round(people.income[customer] * rng.uniform(1, 20, count) / 100_000).astype("int64")
            * 100_000
        )
        product = np.where(
            rng.random(count) < 0.5, people.interest[customer], rng.integers(0, 5, count)
        )
        report = _report_ids(day, customer)
        return pa.table(
            {
                "enquiry_id": columns.join(report, "-", columns.numbered("Q", rank + 1, 2)),
                "report_id": report,
                "customer_id": folk.customer_ids(customer),
                "report_date": columns.dates(np.full(count, day)),
                "enquiry_date": columns.dates(day - rng.integers(1, 180, count)),
                "product": columns.pick(PRODUCTS, product),
                "amount": columns.money(amount, rng.random(count) < 0.1),
                "currency": columns.pick(folk.CURRENCIES, people.country[customer]),
            }
        )


_LINE_COLUMNS = (
    "product", "is_own_account", "opened_date", "closed_date", "currency", "sanctioned_amount",
    "current_balance", "overdue_amount", "emi_amount", "credit_limit", "payment_history",
)  # fmt: skip


def _concat(*tables: pa.Table) -> pa.Table:
    return pa.concat_tables(tables).combine_chunks()


def _report_ids(day: int, customer: Ints) -> pa.Array:
    return columns.numbered(f"B{to_date(day):%Y%m%d}-", customer + 1, 7)


def _histories(codes: npt.NDArray[np.uint8]) -> pa.Array:
    """24 characters a loan, newest first."""
    text = np.ascontiguousarray(codes).view(f"S{HISTORY_MONTHS}").ravel()
    return pa.array(text.astype(str))
