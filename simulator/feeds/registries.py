"""Permissions, do-not-disturb registries, the lender's blacklist, and fraud reports.

The first delivery is the full register; later ones hold only what changed that day, and there is
no file on a day without change. A change repeats the key with its new state (a DND listing gains
its ``delisted_date``, a fraud report its new ``status``).
"""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from simulator import columns
from simulator import people as folk
from simulator.book import LoanBook
from simulator.calendar import SECONDS_PER_DAY, day_start, to_date
from simulator.loans import account_ids
from simulator.people import CHANNELS, INDIA, People
from simulator.seeds import generator

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

PURPOSES = ("collections", "marketing")
CATEGORIES = ("0", "1", "1;3", "2;5;7")
FRAUD_KINDS = ("identity_theft", "account_takeover", "disputed_application")
FRAUD_STATUSES = ("open", "confirmed", "dismissed")
_SOURCES = ("loan_agreement", "mobile_app", "call_centre")
_BLACKLIST_REASONS = ("legal_dispute", "abusive_to_staff", "deceased", "settlement_agreed")
_NEVER = -1


@dataclass
class RegistryState:
    """One row a customer. Days are -1 when never; ``may`` is a bit a (channel, purpose).

    ``may`` bit ``2 * channel + purpose``; ``dnd_category`` indexes :data:`CATEGORIES`;
    ``fraud_status`` is -1 without a report.
    """

    may: Ints
    dnd_listed: Ints
    dnd_delisted: Ints
    dnd_category: Ints
    blacklist_listed: Ints
    blacklist_delisted: Ints
    blacklist_reason: Ints
    fraud_reported: Ints
    fraud_status: Ints
    fraud_kind: Ints

    def table(self) -> pa.Table:
        """One column an attribute."""
        return pa.table({f.name: pa.array(getattr(self, f.name)) for f in fields(self)})

    @classmethod
    def from_table(cls, table: pa.Table) -> "RegistryState":
        """The inverse of :meth:`table`."""
        return cls(**{f.name: table[f.name].to_numpy().copy() for f in fields(cls)})

    def allowed(self, purpose: int, has_email: Bools) -> Bools:
        """Customers x channels permitted for a purpose (0 collections, 1 marketing)."""
        bits = 2 * np.arange(len(CHANNELS)) + purpose
        granted = (self.may[:, None] >> bits & 1).astype(bool)
        granted[:, 0] &= has_email
        return granted


def first_state(seed: int, people: People, first_day: int) -> RegistryState:
    """The registers as they stand on the first day."""
    rng, count = generator(seed, "registries"), len(people)
    share = np.tile([0.96, 0.62], len(CHANNELS))
    granted = rng.random((count, len(share))) < share
    is_listed = rng.random(count) < np.where(people.country == INDIA, 0.16, 0.22)
    listed = first_day - rng.integers(30, 1_500, count)
    category = np.where(people.country == INDIA, rng.choice(4, count, p=[0.55, 0.2, 0.15, 0.1]), 0)
    black = rng.random(count) < 0.004
    fraud = rng.random(count) < 0.005
    return RegistryState(
        may=(granted << np.arange(len(share))).sum(axis=1).astype("int64"),
        dnd_listed=np.where(is_listed, listed, _NEVER),
        dnd_delisted=np.full(count, _NEVER),
        dnd_category=category,
        blacklist_listed=np.where(black, first_day - rng.integers(5, 700, count), _NEVER),
        blacklist_delisted=np.full(count, _NEVER),
        blacklist_reason=rng.integers(0, len(_BLACKLIST_REASONS), count),
        fraud_reported=np.where(fraud, first_day - rng.integers(5, 300, count), _NEVER),
        fraud_status=np.where(fraud, rng.choice(3, count, p=[0.4, 0.3, 0.3]), _NEVER),
        fraud_kind=rng.integers(0, len(FRAUD_KINDS), count),
    )


def full(seed: int, book: LoanBook, state: RegistryState, day: int) -> dict[str, pa.Table]:
    """The four registers in full, by feed name."""
    people, everyone = book.people, np.arange(len(book.people))
    rng = generator(seed, "permission-dates")
    slots = 2 * len(CHANNELS)
    customer, slot = np.repeat(everyone, slots), np.tile(np.arange(slots), len(people))
    has_right = people.has_email[customer] | (slot >= 2)
    customer, slot = customer[has_right], slot[has_right]
    is_granted = (state.may[customer] >> slot & 1).astype(bool)
    known = is_granted | (rng.random(len(customer)) < 0.5)
    age = rng.integers(20, 900, len(customer)) * SECONDS_PER_DAY
    at = day_start(day) - age + rng.integers(10 * 3_600, 18 * 3_600, len(customer))
    return {
        "contact_permissions": _permissions(
            day, customer[known], slot[known], is_granted[known], at[known],
            np.where(is_granted, 0, rng.integers(1, 3, len(customer)))[known],
        ),
        "dnd_registry": _dnd(people, state, everyone[state.dnd_listed >= 0]),
        "blacklist": _blacklist(state, everyone[state.blacklist_listed >= 0]),
        "fraud_reports": _fraud(book, state, everyone[state.fraud_reported >= 0]),
    }  # fmt: skip


def change(seed: int, book: LoanBook, state: RegistryState, day: int) -> dict[str, pa.Table]:
    """Let one day's changes happen; only registers that changed appear in the result."""
    people, count = book.people, len(book.people)
    rng = generator(seed, "registry-changes", day)
    slot = rng.integers(0, 2 * len(CHANNELS), count)
    is_granted = (state.may >> slot & 1).astype(bool)
    flips = rng.random(count) < np.where(is_granted, 0.0006, 0.0004)
    flips &= people.has_email | (slot >= 2)
    who = np.flatnonzero(flips)
    state.may[who] ^= 1 << slot[who]
    at = day_start(day) + rng.integers(0, SECONDS_PER_DAY, len(who))
    permissions = _permissions(
        day, who, slot[who], ~is_granted[who], at, rng.integers(1, 3, len(who))
    )
    dnd = _change_dnd(rng, people, state, day)
    black = _change_blacklist(rng, state, day)
    fraud = _change_fraud(rng, book, state, day)
    tables = {
        "contact_permissions": permissions,
        "dnd_registry": dnd,
        "blacklist": black,
        "fraud_reports": fraud,
    }
    return {feed: table for feed, table in tables.items() if table.num_rows}


def _change_dnd(
    rng: np.random.Generator, people: People, state: RegistryState, day: int
) -> pa.Table:
    draw = rng.random(len(people))
    never, listed = state.dnd_listed < 0, (state.dnd_listed >= 0) & (state.dnd_delisted < 0)
    joins, leaves = never & (draw < 0.00025), listed & (draw < 0.0003)
    state.dnd_listed[joins] = day
    state.dnd_delisted[leaves] = day
    return _dnd(people, state, np.flatnonzero(joins | leaves))


def _change_blacklist(rng: np.random.Generator, state: RegistryState, day: int) -> pa.Table:
    draw = rng.random(len(state.may))
    joins = (state.blacklist_listed < 0) & (draw < 0.00002)
    leaves = (state.blacklist_listed >= 0) & (state.blacklist_delisted < 0) & (draw < 0.0004)
    state.blacklist_listed[joins] = day
    state.blacklist_delisted[leaves] = day
    return _blacklist(state, np.flatnonzero(joins | leaves))


def _change_fraud(
    rng: np.random.Generator, book: LoanBook, state: RegistryState, day: int
) -> pa.Table:
    draw, verdict = rng.random(len(state.may)), rng.random(len(state.may))
    opens = (state.fraud_reported < 0) & (draw < 0.00003)
    closes = (state.fraud_status == 0) & (draw < 0.012)
    state.fraud_reported[opens] = day
    state.fraud_status = np.where(
        closes, np.where(verdict < 0.4, 1, 2), np.where(opens, 0, state.fraud_status)
    )
    return _fraud(book, state, np.flatnonzero(opens | closes))


def _permissions(
    day: int, customer: Ints, slot: Ints, is_granted: Bools, at: Ints, source: Ints
) -> pa.Table:
    return pa.table(
        {
            "permission_id": columns.numbered(
                f"M{to_date(day):%Y%m%d}", np.arange(len(customer)), 7
            ),
            "customer_id": folk.customer_ids(customer),
            "channel": columns.pick(CHANNELS, slot // 2),
            "purpose": columns.pick(PURPOSES, slot % 2),
            "status": columns.pick(("withdrawn", "granted"), is_granted),
            "effective_at_utc": columns.instants(at),
            "source": columns.pick(_SOURCES, source),
        }
    )


def _dnd(people: People, state: RegistryState, who: Ints) -> pa.Table:
    return pa.table(
        {
            "phone": folk.phones(people, who),
            "registry": columns.pick(("NCPR", "US_DNC"), people.country[who]),
            "categories": columns.pick(CATEGORIES, state.dnd_category[who]),
            "listed_date": columns.dates(state.dnd_listed[who]),
            "delisted_date": columns.dates(state.dnd_delisted[who], state.dnd_delisted[who] < 0),
        }
    )


def _blacklist(state: RegistryState, who: Ints) -> pa.Table:
    delisted = state.blacklist_delisted[who]
    return pa.table(
        {
            "customer_id": folk.customer_ids(who),
            "reason": columns.pick(_BLACKLIST_REASONS, state.blacklist_reason[who]),
            "listed_date": columns.dates(state.blacklist_listed[who]),
            "delisted_date": columns.dates(delisted, delisted < 0),
        }
    )


def _fraud(book: LoanBook, state: RegistryState, who: Ints) -> pa.Table:
    first_account = np.searchsorted(book.loans.customer, who)
    return pa.table(
        {
            "report_id": columns.numbered("F", who + 1, 7),
            "customer_id": folk.customer_ids(who),
            "account_id": columns.blank(account_ids(first_account), who % 3 == 0),
            "reported_date": columns.dates(state.fraud_reported[who]),
            "kind": columns.pick(FRAUD_KINDS, state.fraud_kind[who]),
            "status": columns.pick(FRAUD_STATUSES, state.fraud_status[who]),
        }
    )
