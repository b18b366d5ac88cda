"""Account-aggregator deposit data: schema deposit v2.0.0, one linked account a JSON line.

Each monitored account is fetched every four weeks, in one of four weekly files; an underwriting
consent is fetched once, in the first weekly file after it was given; a collections consent shows
a balance without transactions, and only while an instalment is more than a day overdue.
"""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from simulator import columns, places
from simulator import people as folk
from simulator.book import LoanBook
from simulator.calendar import SECONDS_PER_DAY, day_start, months_since_epoch
from simulator.feeds import consents, transactions
from simulator.feeds.bureau import Bureau
from simulator.feeds.consents import ConsentState
from simulator.feeds.transactions import KINDS, Ledger, PaymentLog
from simulator.people import People

Ints = npt.NDArray[np.int64]

FIRST_FETCH_DAYS = np.array([180, 90])
"""Days of history in a first fetch: underwriting, monitoring (the consents allow more)."""
LOG_DAYS = 190
"""Days of payments that must be remembered to write the longest first fetch."""
_SCHEMA = (
    "https://specifications.rebit.org.in/api_schema/account_aggregator/FISchema/deposit_v2.0.0.xsd"
)
_DIRECTIONS = [("CREDIT", "DEBIT")[kind.direction] for kind in KINDS]
_FETCH_SECONDS = 21 * 3_600 + 30 * 60


@dataclass
class DepositState:
    """One element a customer: the balance after, and the day of, the last fetch (-1 = none)."""

    balance: Ints
    last_fetch: Ints

    @classmethod
    def new(cls, count: int) -> "DepositState":
        """Nothing fetched yet."""
        return cls(np.full(count, -1), np.full(count, -1))

    def table(self) -> pa.Table:
        """One column an attribute."""
        return pa.table({f.name: pa.array(getattr(self, f.name)) for f in fields(self)})

    @classmethod
    def from_table(cls, table: pa.Table) -> "DepositState":
        """The inverse of :meth:`table`."""
        return cls(**{f.name: table[f.name].to_numpy().copy() for f in fields(cls)})


def fetch(
    seed: int,
    book: LoanBook,
    bureau: Bureau,
    consent: ConsentState,
    state: DepositState,
    log: PaymentLog,
    day: int,
) -> tuple[list[bytes], list[int]]:
    """The weekly file of ``day``: JSON lines, and the records (account + transactions) of each."""
    chosen = _full_reads(consent, state, day)
    customer, kind = consent.customer[chosen], consent.kind[chosen]
    span = FIRST_FETCH_DAYS[kind]
    fetched = state.last_fetch[customer]
    start = np.maximum(fetched + 1, day - span + 1)
    is_new = start > fetched + 1
    opening = np.where(is_new | (fetched < 0), -1, state.balance[customer])
    other = bureau.emi_of(customer, int(months_since_epoch(day)))
    ledger = transactions.build(seed, book, log, other, customer, start, day, opening)
    state.balance[customer] = ledger.closing
    state.last_fetch[customer] = day
    lines = _account_lines(book.people, consent, chosen, day, start, ledger)
    counts = (1 + np.bincount(ledger.row, minlength=len(chosen))).tolist()
    peeks = _summary_reads(book, consent, day)
    lines += _summary_lines(book.people, consent, peeks, state, day)
    return lines, counts + [1] * len(peeks)


def _full_reads(consent: ConsentState, state: DepositState, day: int) -> Ints:
    """Consents to read in full: this week's quarter of the monitored, and new one-time ones."""
    active = _usable(consent, day)
    due = (consent.kind == consents.MONITORING) & (consent.customer % 4 == day // 7 % 4)
    fresh = (consent.kind == consents.UNDERWRITING) & (
        state.last_fetch[consent.customer] < consent.created // SECONDS_PER_DAY
    )
    chosen = np.flatnonzero(active & (due | fresh))
    _, first = np.unique(consent.customer[chosen], return_index=True)
    return chosen[np.sort(first)]


def _usable(consent: ConsentState, day: int) -> npt.NDArray[np.bool_]:
    """Consents that are active, already given and not yet expired when `day` is fetched."""
    usable: npt.NDArray[np.bool_] = (
        (consent.status == consents.ACTIVE)
        & (consent.created <= day_start(day) + _FETCH_SECONDS)
        & (consent.expiry > day)
    )
    return usable


def _summary_reads(book: LoanBook, consent: ConsentState, day: int) -> Ints:
    late = np.zeros(len(book.people), dtype=bool)
    late[book.loans.customer[book.position(day).days_past_due > 1]] = True
    return np.flatnonzero(
        _usable(consent, day) & (consent.kind == consents.COLLECTIONS) & late[consent.customer]
    )


def _local_time(day: Ints, second: Ints) -> pa.Array:
    """``2026-06-01T09:15:00+05:30``: banks write their own clock."""
    text = np.datetime_as_string((day * SECONDS_PER_DAY + second).astype("datetime64[s]"), unit="s")
    return columns.join(pa.array(text), "+05:30")


def _transaction_lines(ledger: Ledger, customer: Ints) -> pa.Array:
    starts = np.searchsorted(ledger.row, np.arange(len(customer)))
    number = np.arange(len(ledger.row)) - starts[ledger.row]
    date = columns.dates(ledger.day)
    compact = pc.replace_substring(date.cast(pa.string()), "-", "")
    serial = columns.numbered("", number + 1, 4)
    txn_id = columns.join("T", compact, "-", serial)
    reference = columns.join(
        "N", compact, columns.numbered("", customer[ledger.row] + 1, 7), serial
    )
    return columns.join(
        '{"txnId":"', txn_id,
        '","type":"', columns.pick(_DIRECTIONS, ledger.kind),
        '","mode":"', columns.pick([k.mode for k in KINDS], ledger.kind),
        '","amount":"', columns.money(ledger.amount),
        '","transactionalBalance":"', columns.money(ledger.balance),
        '","transactionTimestamp":"', _local_time(ledger.day, ledger.second),
        '","valueDate":"', date,
        '","narration":"', columns.pick([k.narration for k in KINDS], ledger.kind),
        '","reference":"', reference,
        '"}',
    )  # fmt: skip


def _account_lines(
    people: People, consent: ConsentState, index: Ints, day: int, start: Ints, ledger: Ledger
) -> list[bytes]:
    customer = consent.customer[index]
    if not len(customer):
        return []
    offsets = np.searchsorted(ledger.row, np.arange(len(customer) + 1)).astype("int32")
    grouped = pa.ListArray.from_arrays(pa.array(offsets), _transaction_lines(ledger, customer))
    who = pa.array(customer)
    holder = columns.join(
        '"profile":{"holders":{"type":"SINGLE","holder":[{"name":"',
        pc.utf8_upper(folk.full_names(people).take(who)),
        '","dob":"', columns.join(pa.array(people.birth_year[customer]), "-01-31"),
        '","mobile":"', columns.numbered("", people.phone[customer] % 10**10, 10),
        '","nominee":"NOT_REGISTERED","address":"1 Example Road, ',
        columns.pick([place.city for place in places.PLACES], people.place[customer]),
        pc.coalesce(columns.join('","email":"', folk.emails(people).take(who)), pa.scalar("")),
        '","pan":"', folk.national_ids(people).take(who),
        '","ckycRegistered":"YES"}]}},',
    )  # fmt: skip
    text = columns.join(
        _opening_text(consent, index, people, day, "LR"), holder,
        _summary_text(people, customer, day, ledger.closing),
        ',"transactions":{"startDate":"', columns.dates(start),
        '","endDate":"', columns.dates(np.full(len(customer), day)),
        '","transaction":[', pc.binary_join(grouped, ","), "]}}}",
    )  # fmt: skip
    return [line.encode() for line in text.to_pylist()]


def _summary_lines(
    people: People, consent: ConsentState, index: Ints, state: DepositState, day: int
) -> list[bytes]:
    """A balance alone, as a SUMMARY consent allows; no holder profile, no transactions."""
    customer = consent.customer[index]
    if not len(customer):
        return []
    known = state.balance[customer]
    balance = np.where(known >= 0, known, people.income[customer] // 5 + customer % 1_000 * 100)
    text = columns.join(
        _opening_text(consent, index, people, day, "LS"),
        _summary_text(people, customer, day, balance), "}}",
    )  # fmt: skip
    return [line.encode() for line in text.to_pylist()]


def _opening_text(
    consent: ConsentState, index: Ints, people: People, day: int, link: str
) -> pa.Array:
    customer = consent.customer[index]
    reference = columns.numbered(link, customer + 1, 7)
    fetched_at = columns.instants(np.full(len(index), day_start(day) + _FETCH_SECONDS))
    return columns.join(
        '{"consentId":"', consents.consent_ids(index),
        '","customerId":"', folk.customer_ids(customer),
        '","fipId":"EXAMPLE-BANK-', pa.array(customer % 4 + 1),
        '","linkRefNumber":"', reference,
        '","fetchedAt":"', fetched_at,
        '","account":{"linkedAccRef":"', reference,
        '","maskedAccNumber":"XXXXXXXX', columns.numbered("", (customer * 7 + 13) % 10_000, 4),
        f'","version":"2.0.0","type":"deposit","schemaLocation":"{_SCHEMA}",',
    )  # fmt: skip


def _summary_text(people: People, customer: Ints, day: int, balance: Ints) -> pa.Array:
    count = len(customer)
    at = _local_time(np.full(count, day), np.full(count, _FETCH_SECONDS))
    opened = columns.join(pa.array(people.birth_year[customer] + 20), "-04-01")
    kind = np.where(people.employment[customer] == 1, 1, 0)
    return columns.join(
        '"summary":{"currentBalance":"', columns.money(balance),
        '","currency":"INR","balanceDateTime":"', at,
        '","accountType":"REGULAR","accountSubType":"', columns.pick(("SAVINGS", "CURRENT"), kind),
        '","branch":"Example","facility":"NO_FACILITY_GRANTED","ifsc":"EXMP0000001",'
        '"micrCode":"400000001","openingDate":"', opened,
        '","currentODLimit":"0","drawingLimit":"0","status":"ACTIVE","pendingTxns":{"pendingTxn":[]}}',
    )  # fmt: skip
