"""The legacy contact log: what the lender's old dialler did, and what came of it.

One in five outbound contacts was randomised: channel drawn evenly among those the borrower
permits, hour evenly among the four slots; ``assignment_probability`` is the chance of exactly
that channel and slot. The rest followed the old habit (text first, call when it gets late,
always at midday), where the probability is not known and stays empty.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from simulator import columns, places
from simulator import people as folk
from simulator.book import LoanBook
from simulator.calendar import local_instants, offsets_minutes, to_date
from simulator.loans import account_ids
from simulator.people import CHANNELS, People
from simulator.responsiveness import SLOT_MINUTES, engagement_chance
from simulator.seeds import generator

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

RANDOMISED_SHARE = 0.2
OUTCOMES = (
    "delivered", "opened", "clicked", "replied", "no_answer", "voicemail",
    "right_party_contact", "promise_to_pay", "failed",
)  # fmt: skip
_DELIVERED, _OPENED, _CLICKED, _REPLIED, _NO_ANSWER, _VOICEMAIL, _RIGHT_PARTY, _PROMISE, _FAILED = (
    range(9)
)
_ENGAGED_OUTCOMES = (
    ((_OPENED, 0.55), (_CLICKED, 0.35), (_REPLIED, 0.10)),
    ((_CLICKED, 0.60), (_REPLIED, 0.40)),
    ((_OPENED, 0.60), (_REPLIED, 0.40)),
    ((_RIGHT_PARTY, 0.55), (_PROMISE, 0.45)),
)
_OTHER_OUTCOMES = (
    ((_DELIVERED, 0.96), (_FAILED, 0.04)),
    ((_DELIVERED, 0.95), (_FAILED, 0.05)),
    ((_DELIVERED, 0.95), (_FAILED, 0.05)),
    ((_NO_ANSWER, 0.60), (_VOICEMAIL, 0.35), (_FAILED, 0.05)),
)
_BOOST_DAYS = 5


@dataclass(frozen=True)
class _Contacts:
    account: Ints
    channel: Ints
    minutes: Ints
    outcome: Ints
    is_outbound: Bools
    probability: npt.NDArray[np.float64]

    def plus(self, other: "_Contacts") -> "_Contacts":
        """Both, these first."""
        return _Contacts(
            account=np.concatenate([self.account, other.account]),
            channel=np.concatenate([self.channel, other.channel]),
            minutes=np.concatenate([self.minutes, other.minutes]),
            outcome=np.concatenate([self.outcome, other.outcome]),
            is_outbound=np.concatenate([self.is_outbound, other.is_outbound]),
            probability=np.concatenate([self.probability, other.probability]),
        )


def happen(seed: int, book: LoanBook, day: int, allowed: Bools, is_dialler_on: bool) -> pa.Table:
    """Let the contacts of ``day`` happen and return their rows.

    They act on the book: engaged borrowers are likelier to pay for a few days, promises are
    remembered. Call before the book's own step of the same day.

    Args:
        seed: the lender's seed.
        book: the loan book at the end of the day before.
        day: the day.
        allowed: customers x channels permitted for collections.
        is_dialler_on: false once the platform has taken over; then only borrowers call in.
    """
    rng = generator(seed, "contacts", day)
    now = book.position(day - 1)
    candidates = _most_overdue_account(book, now.days_past_due)
    contacts = _inbound(rng, candidates)
    if is_dialler_on:
        contacts = _outbound(rng, book, candidates, now.days_past_due, allowed).plus(contacts)
    promise = contacts.outcome == _PROMISE
    promise_day = day + rng.integers(1, 8, len(promise))
    engaged = contacts.outcome >= _OPENED
    engaged &= ~np.isin(contacts.outcome, (_NO_ANSWER, _VOICEMAIL, _FAILED))
    book.state.boost_until[contacts.account[engaged]] = day + _BOOST_DAYS
    book.state.promise_day[contacts.account[promise]] = promise_day[promise]
    amount = np.minimum(now.overdue[contacts.account], book.loans.emi[contacts.account] * 2)
    return _table(book, day, contacts, promise_day, amount)


def _most_overdue_account(book: LoanBook, days_past_due: Ints) -> Ints:
    """At most one account a customer: the one that is furthest behind."""
    late = np.flatnonzero((days_past_due > 0) & ~book.state.is_sold)
    late = late[np.lexsort((late, -days_past_due[late]))]
    _, first = np.unique(book.loans.customer[late], return_index=True)
    return np.sort(late[first])


def _outbound(
    rng: np.random.Generator, book: LoanBook, accounts: Ints, dpd: Ints, allowed: Bools
) -> _Contacts:
    people = book.people
    late = dpd[accounts]
    chance = np.where(late <= 30, 0.22, np.where(late <= 90, 0.28, 0.10))
    draws = rng.random((5, len(accounts)))
    may = allowed[book.loans.customer[accounts]]
    chosen = (draws[0] < chance) & may.any(axis=1)
    account, late, may, draws = accounts[chosen], late[chosen], may[chosen], draws[:, chosen]
    customer = book.loans.customer[account]
    is_random = draws[1] < RANDOMISED_SHARE
    even = _nth_allowed(may, (draws[2] * may.sum(axis=1)).astype("int64"))
    habit = np.where(late <= 15, 1, np.where(late <= 30, 2, 3))
    habit = np.where(may[np.arange(len(may)), habit], habit, even)
    channel = np.where(is_random, even, habit)
    slot = np.where(is_random, (draws[3] * 4).astype("int64"), np.where(draws[3] < 0.8, 1, 2))
    low, high = np.array(SLOT_MINUTES)[slot].T
    minutes = (low + draws[4] * (high - low)).astype("int64")
    chance = engagement_chance(
        channel, slot, people.best_channel[customer], people.best_slot[customer],
        people.willingness[customer],
    )  # fmt: skip
    engaged = rng.random(len(account)) < chance
    return _Contacts(
        account=account,
        channel=channel,
        minutes=minutes,
        outcome=_draw_outcomes(rng.random(len(account)), channel, engaged),
        is_outbound=np.ones(len(account), dtype=bool),
        probability=np.where(is_random, 1 / (may.sum(axis=1) * 4), np.nan),
    )


def _inbound(rng: np.random.Generator, accounts: Ints) -> _Contacts:
    """A few late borrowers call or write by themselves."""
    account = accounts[rng.random(len(accounts)) < 0.006]
    channel = np.where(rng.random(len(account)) < 0.7, 3, 2)
    promise = rng.random(len(account)) < 0.5
    return _Contacts(
        account=account,
        channel=channel,
        minutes=rng.integers(9 * 60, 18 * 60, len(account)),
        outcome=np.where(channel == 2, _REPLIED, np.where(promise, _PROMISE, _RIGHT_PARTY)),
        is_outbound=np.zeros(len(account), dtype=bool),
        probability=np.full(len(account), np.nan),
    )


def _nth_allowed(may: Bools, n: Ints) -> Ints:
    """Index of the n-th permitted channel of each row."""
    return np.asarray(np.argmax(np.cumsum(may, axis=1) > n[:, None], axis=1), dtype="int64")


def _draw_outcomes(draw: npt.NDArray[np.float64], channel: Ints, engaged: Bools) -> Ints:
    result = np.zeros(len(draw), dtype="int64")
    for code in range(len(CHANNELS)):
        for is_engaged, table in ((True, _ENGAGED_OUTCOMES), (False, _OTHER_OUTCOMES)):
            outcomes, shares = zip(*table[code], strict=True)
            edges = np.cumsum(shares)[:-1]
            here = (channel == code) & (engaged == is_engaged)
            result[here] = np.array(outcomes)[np.digitize(draw[here], edges)]
    return result


def _table(
    book: LoanBook, day: int, contacts: _Contacts, promise_day: Ints, amount: Ints
) -> pa.Table:
    customer = book.loans.customer[contacts.account]
    offsets = customer_offsets(book.people, customer, day)
    at = local_instants(day, contacts.minutes, offsets)
    order = np.lexsort((contacts.account, at))
    account, outcome = contacts.account[order], contacts.outcome[order]
    probability, no_promise = contacts.probability[order], outcome != _PROMISE
    return pa.table(
        {
            "contact_id": columns.numbered(f"K{to_date(day):%Y%m%d}", np.arange(len(account)), 6),
            "account_id": account_ids(account),
            "customer_id": folk.customer_ids(customer[order]),
            "channel": columns.pick(CHANNELS, contacts.channel[order]),
            "direction": columns.pick(("inbound", "outbound"), contacts.is_outbound[order]),
            "contacted_at_utc": columns.instants(at[order]),
            "outcome": columns.pick(OUTCOMES, outcome),
            "is_randomised": columns.booleans(~np.isnan(probability)),
            "assignment_probability": columns.rates(probability, np.isnan(probability)),
            "promise_amount": columns.money(amount[order], no_promise),
            "promise_date": columns.dates(promise_day[order], no_promise),
        }
    )


def customer_offsets(people: People, customer: Ints, day: int) -> Ints:
    """UTC offset in minutes of each customer's zone on ``day``."""
    by_place = offsets_minutes([place.time_zone for place in places.PLACES], day)
    return by_place[people.place[customer]]
