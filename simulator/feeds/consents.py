"""Account-aggregator consent artefacts (ReBIT v2.0.0 fields), and how they change.

Three templates of the fair-use library are in use (Sahamati): underwriting (CT001, purpose 103,
one-time, one month), monitoring (CT003, purpose 104, periodic, five years) and collections
(CT035, purpose 104, summary only, a day of data). Underwriting and monitoring never go to the
same borrower, so one deposit account is always read under one transaction-bearing consent.
A status is never taken up again: ACTIVE, then perhaps PAUSED, then REVOKED or EXPIRED. A consent
ends with the first instant of its expiry day, so nothing is fetched under it on that day.
"""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from simulator import columns
from simulator import people as folk
from simulator.book import LoanBook
from simulator.calendar import SECONDS_PER_DAY, day_start
from simulator.people import INDIA
from simulator.seeds import generator

Ints = npt.NDArray[np.int64]

UNDERWRITING, MONITORING, COLLECTIONS = 0, 1, 2
ACTIVE, PAUSED, REVOKED, EXPIRED = 0, 1, 2, 3
STATUSES = ("ACTIVE", "PAUSED", "REVOKED", "EXPIRED")
_LIFE_DAYS = np.array([30, 5 * 365, 3 * 365])
_RANGE_BACK_DAYS = np.array([365, 180, 1])

_DETAIL = tuple(
    f'"consentMode":"STORE","fetchType":"{fetch}","consentTypes":[{types}],"fiTypes":["DEPOSIT"]'
    for fetch, types in (
        ("ONETIME", '"PROFILE","SUMMARY","TRANSACTIONS"'),
        ("PERIODIC", '"PROFILE","SUMMARY","TRANSACTIONS"'),
        ("PERIODIC", '"SUMMARY"'),
    )
)
_PURPOSE = tuple(
    f'"Purpose":{{"code":"{code}","refUri":"https://api.rebit.org.in/aa/purpose/{code}.xml",'
    f'"text":"{text}","Category":{{"type":"Financial Reporting"}}}}'
    for code, text in (
        ("103", "To process your loan application"),
        ("104", "To monitor your loan account"),
        (
            "104",
            "To monitor a borrower's accounts for loan collection, applicable only when an "
            "instalment is due more than one day from the due date",
        ),
    )
)
_FREQUENCY = ('{"unit":"HOUR","value":1}', '{"unit":"MONTH","value":5}', '{"unit":"DAY","value":1}')


@dataclass
class ConsentState:
    """One element a consent: customer index, kind, creation instant, expiry day, status code."""

    customer: Ints
    kind: Ints
    created: Ints
    expiry: Ints
    status: Ints

    def __len__(self) -> int:
        return len(self.customer)

    def table(self) -> pa.Table:
        """One column an attribute."""
        return pa.table({f.name: pa.array(getattr(self, f.name)) for f in fields(self)})

    @classmethod
    def from_table(cls, table: pa.Table) -> "ConsentState":
        """The inverse of :meth:`table`."""
        return cls(**{f.name: table[f.name].to_numpy().copy() for f in fields(cls)})

    def add(self, customer: Ints, kind: Ints, created: Ints) -> Ints:
        """Append consents given at ``created`` (instants); returns their indexes."""
        start = len(self)
        expiry = created // SECONDS_PER_DAY + _LIFE_DAYS[kind]
        status = np.full(len(customer), ACTIVE)
        for name, values in zip(
            ("customer", "kind", "created", "expiry", "status"),
            (customer, kind, created, expiry, status),
            strict=True,
        ):
            setattr(self, name, np.concatenate([getattr(self, name), values]))
        return np.arange(start, len(self))


def first_state(seed: int, book: LoanBook, first_day: int) -> ConsentState:
    """The consents standing on the first day; Indian borrowers only."""
    people, rng = book.people, generator(seed, "consents")
    draw, india = rng.random(len(people)), people.country == INDIA
    monitoring = np.flatnonzero(india & (draw < 0.38))
    underwriting = np.flatnonzero(india & (draw >= 0.38) & (draw < 0.45))
    collections = np.flatnonzero(india & (rng.random(len(people)) < 0.08))
    customer = np.concatenate([monitoring, underwriting, collections])
    sizes = (len(monitoring), len(underwriting), len(collections))
    kind = np.repeat([MONITORING, UNDERWRITING, COLLECTIONS], sizes)
    oldest = np.array([25, 400, 300])[kind]
    age = 1 + (rng.random(len(customer)) * oldest).astype("int64")
    created = (
        day_start(first_day) - age * SECONDS_PER_DAY + rng.integers(9 * 3_600, 21 * 3_600, len(age))
    )
    empty = np.zeros(0, dtype="int64")
    state = ConsentState(empty, empty, empty, empty, empty)
    state.add(customer, kind, created)
    return state


def change(seed: int, book: LoanBook, state: ConsentState, day: int) -> Ints:
    """Let one day's consents be given, paused, revoked or expire; returns the changed indexes."""
    people, rng = book.people, generator(seed, "consent-changes", day)
    draw = rng.random(len(state))
    status = state.status
    active, paused = status == ACTIVE, status == PAUSED
    expired = (active | paused) & (state.expiry <= day)
    revoked = ((active & (draw < 0.0005)) | (paused & (draw < 0.03))) & ~expired
    pauses = active & (draw > 0.9996) & ~expired
    changed = np.flatnonzero(expired | revoked | pauses)
    state.status = np.where(
        expired, EXPIRED, np.where(revoked, REVOKED, np.where(pauses, PAUSED, status))
    )
    reader = np.zeros(len(people), dtype=bool)
    reader[
        state.customer[
            (state.kind == MONITORING) | (state.status == ACTIVE) & (state.kind == UNDERWRITING)
        ]
    ] = True
    wish = rng.random(len(people))
    free = (people.country == INDIA) & ~reader
    applies, joins = np.flatnonzero(free & (wish < 0.0016)), np.flatnonzero(free & (wish > 0.9998))
    customer = np.concatenate([applies, joins])
    kind = np.repeat([UNDERWRITING, MONITORING], (len(applies), len(joins)))
    created = day_start(day) + rng.integers(0, SECONDS_PER_DAY, len(customer))
    return np.concatenate([changed, state.add(customer, kind, created)])


def applicants(state: ConsentState, day: int) -> Ints:
    """Customers who consented on ``day`` that their accounts are read for a loan application."""
    is_of_day = (state.created >= day_start(day)) & (state.created < day_start(day + 1))
    return np.asarray(state.customer[is_of_day & (state.kind == UNDERWRITING)], dtype="int64")


def consent_ids(index: Ints) -> pa.Array:
    """UUID-shaped, from the consent's own number."""
    return columns.numbered("6d657269-6469-4f61-8000-", index + 1, 12)


def handles(customer: Ints) -> pa.Array:
    """The borrower's handle at a fictitious aggregator."""
    return columns.join("borrower", pa.array(customer + 1), "@example-aa")


def lines(book: LoanBook, state: ConsentState, index: Ints) -> list[bytes]:
    """One JSON artefact a consent, compact, in the order of ``index``."""
    if not len(index):
        return []
    kind, customer, created = state.kind[index], state.customer[index], state.created[index]
    start_day = created // SECONDS_PER_DAY
    expiry = columns.instants(state.expiry[index] * SECONDS_PER_DAY)
    mobile = columns.numbered("", book.people.phone[customer] % 10**10, 10)
    range_start = (start_day - _RANGE_BACK_DAYS[kind]) * SECONDS_PER_DAY
    text = columns.join(
        '{"consentId":"', consent_ids(index),
        '","customerId":"', folk.customer_ids(customer),
        '","status":"', columns.pick(STATUSES, state.status[index]),
        '","createTimestamp":"', columns.instants(created),
        '","ConsentDetail":{"consentStart":"', columns.instants(created),
        '","consentExpiry":"', expiry, '",', columns.pick(_DETAIL, kind),
        ',"DataConsumer":{"id":"meridian-fiu","type":"FIU"},"Customer":{"id":"', handles(customer),
        '","Identifiers":[{"type":"MOBILE","value":"', mobile, '"}]},',
        columns.pick(_PURPOSE, kind),
        ',"FIDataRange":{"from":"', columns.instants(range_start),
        '","to":"', expiry,
        '"},"DataLife":{"unit":"MONTH","value":1},"Frequency":', columns.pick(_FREQUENCY, kind),
        "}}",
    )  # fmt: skip
    return [line.encode() for line in text.to_pylist()]
