"""The simulated lender: everything it knows, and how one of its days becomes files."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from simulator.book import BookState, DayPayments, LoanBook
from simulator.calendar import is_sunday, months_since_epoch
from simulator.feeds import bureau as bureau_feed
from simulator.feeds import (
    campaigns,
    clickstream,
    consents,
    contacts,
    deposits,
    payments,
    registries,
)
from simulator.feeds.consents import ConsentState
from simulator.feeds.deposits import LOG_DAYS, DepositState
from simulator.feeds.portfolio import PortfolioFeed
from simulator.feeds.registries import RegistryState
from simulator.feeds.transactions import PaymentLog
from simulator.files import FeedFile, delivery_instant
from simulator.loans import Loans, instalments_due, make_loans
from simulator.people import People, make_people
from simulator.shocks import Shocks

FEEDS = (
    "portfolio", "payments", "bureau_reports", "bureau_tradelines", "bureau_enquiries",
    "aa_consents", "aa_deposits", "contact_history", "contact_permissions", "dnd_registry",
    "blacklist", "fraud_reports", "campaign_responses", "clickstream_events",
)  # fmt: skip

WARM_UP_DAYS = 760
"""Two years and a month before the first day: a bureau's 24 months really happened."""
_WARM_CONTACT_DAYS = 60


@dataclass
class LenderState:
    """All that the next day depends on. ``closed`` is the last day that has happened."""

    closed: int
    book: BookState
    registries: RegistryState
    consents: ConsentState
    deposits: DepositState
    log: PaymentLog


@dataclass(frozen=True)
class Response:
    """A payment that a message caused: cents, and the instant it is made."""

    payment_id: str
    account: int
    amount: int
    paid_at: int
    method: int


@dataclass
class SimulatedLender:
    """People and loans, the hidden state, and the feeds that show a part of it."""

    seed: int
    first_day: int
    last_history_day: int
    people: People
    loans: Loans
    state: LenderState
    book: LoanBook = field(init=False)

    def __post_init__(self) -> None:
        first_month = int(months_since_epoch(self.first_day - WARM_UP_DAYS))
        shocks = Shocks(self.seed, self.people, first_month)
        self.book = LoanBook(self.seed, self.people, self.loans, shocks, self.state.book)
        self._bureau = bureau_feed.Bureau(self.seed, self.book, first_month)
        self._portfolio = PortfolioFeed(self.book, self.first_day)

    def close_day(self, responses: Sequence[Response] = ()) -> list[FeedFile]:
        """Let the day after ``state.closed`` happen and return its files, in delivery order.

        ``responses`` are payments of exactly that day; they arrive in a file of their own,
        ``payments_..._response.csv``, cut down to what was overdue.
        """
        day, state, seed = self.state.closed + 1, self.state, self.seed
        is_first = day == self.first_day
        allowed = state.registries.allowed(0, self.people.has_email)
        is_dialler_on = day <= self.last_history_day
        tables = {"contact_history": contacts.happen(seed, self.book, day, allowed, is_dialler_on)}
        caused, paid = self.book.step(day, _merged(responses))
        self._remember(day, caused)
        self._remember(day, paid)
        tables["portfolio"] = self._portfolio.rows(day)
        tables["payments"] = payments.rows(seed, self.book, day, paid)
        if is_first:
            tables |= registries.full(seed, self.book, state.registries, day)
        else:
            tables |= registries.change(seed, self.book, state.registries, day)
        if (day - self.first_day) % bureau_feed.EVERY_DAYS == 0:
            tables |= self._bureau.rows(day)
        if is_sunday(day):
            tables["campaign_responses"] = campaigns.rows(seed, self.book, day)
        aggregator_files = self._aggregator_files(day, is_first)
        applicants = consents.applicants(state.consents, day)
        tables["clickstream_events"] = clickstream.rows(seed, self.people, day, applicants)
        files = [
            FeedFile(feed, day, delivery_instant(seed, feed, day), rows=rows)
            for feed, rows in tables.items()
        ]
        files += aggregator_files
        if len(caused):
            files.append(self._response_file(day, responses, caused))
        state.closed = day
        return sorted(files, key=lambda file: (file.delivered_at, file.feed))

    def warm_up(self) -> None:
        """Live through the days before the first one; nobody sees them but the bureau.

        Loans charged off by then have been sold: they appear in bureau reports only.
        """
        allowed = self.state.registries.allowed(0, self.people.has_email)
        for day in range(self.state.closed + 1, self.first_day):
            if day > self.first_day - _WARM_CONTACT_DAYS:
                contacts.happen(self.seed, self.book, day, allowed, is_dialler_on=True)
            _, paid = self.book.step(day)
            if day > self.first_day - LOG_DAYS:
                self._remember(day, paid)
        self.state.book.is_sold[:] = self.state.book.is_charged_off
        self.state.consents = consents.first_state(self.seed, self.book, self.first_day)
        self.state.closed = self.first_day - 1

    def _response_file(
        self, day: int, responses: Sequence[Response], caused: DayPayments
    ) -> FeedFile:
        first = {response.account: response for response in reversed(responses)}
        chosen = [first[account] for account in caused.account.tolist()]
        rows = payments.table(
            self.book,
            ids=pa.array([response.payment_id for response in chosen], pa.string()),
            account=caused.account,
            amount=caused.amount,
            status=caused.status,
            paid_at=np.array([response.paid_at for response in chosen]),
            day=day,
            method=np.array([response.method for response in chosen]),
        )
        at = delivery_instant(self.seed, "payments", day) + 60
        return FeedFile("payments", day, at, rows=rows, suffix="response")

    def _aggregator_files(self, day: int, is_first: bool) -> list[FeedFile]:
        state, seed = self.state, self.seed
        changed = consents.change(seed, self.book, state.consents, day)
        shown = np.arange(len(state.consents)) if is_first else changed
        lines = consents.lines(self.book, state.consents, shown)
        files = []
        if lines:
            at = delivery_instant(seed, "aa_consents", day)
            files.append(
                FeedFile("aa_consents", day, at, lines=lines, records_per_line=[1] * len(lines))
            )
        if is_sunday(day):
            fetched, records = deposits.fetch(
                seed, self.book, self._bureau, state.consents, state.deposits, state.log, day
            )
            at = delivery_instant(seed, "aa_deposits", day)
            if fetched:
                files.append(
                    FeedFile("aa_deposits", day, at, lines=fetched, records_per_line=records)
                )
        return files

    def _remember(self, day: int, paid: DayPayments) -> None:
        """Keep the payments that a later bank statement may have to show."""
        old = self.state.log
        recent = old.day > day - LOG_DAYS if day % 16 == 0 else np.ones(len(old.day), dtype=bool)
        is_due = instalments_due(self.loans, day) > instalments_due(self.loans, day - 1)
        mandate = is_due[paid.account] & self.loans.has_mandate[paid.account]
        self.state.log = PaymentLog(
            account=np.concatenate([old.account[recent], paid.account]),
            amount=np.concatenate([old.amount[recent], paid.amount]),
            status=np.concatenate([old.status[recent], paid.status]),
            day=np.concatenate([old.day[recent], np.full(len(paid), day)]),
            is_mandate=np.concatenate([old.is_mandate[recent], mandate]),
        )


def _merged(responses: Sequence[Response]) -> DayPayments:
    account = np.array([response.account for response in responses], dtype="int64")
    amount = np.array([response.amount for response in responses], dtype="int64")
    return DayPayments(account, amount, np.zeros(len(account), dtype="int64"))


def found_lender(
    seed: int, customers: int, first_day: int, last_day: int, last_year: int
) -> SimulatedLender:
    """A lender on the eve of ``first_day``: two years of unseen history behind it."""
    people = make_people(seed, customers, last_year)
    loans = make_loans(seed, people, first_day, last_day)
    start = first_day - WARM_UP_DAYS
    book_state = BookState.new(len(loans))
    book_state.paid = instalments_due(loans, start) * loans.emi
    none = np.zeros(0, dtype="int64")
    empty = ConsentState(none, none, none, none, none)
    state = LenderState(
        closed=start,
        book=book_state,
        registries=registries.first_state(seed, people, first_day),
        consents=empty,
        deposits=DepositState.new(customers),
        log=PaymentLog(none, none, none, none, np.zeros(0, dtype=bool)),
    )
    lender = SimulatedLender(seed, first_day, last_day, people, loans, state)
    lender.warm_up()
    return lender
