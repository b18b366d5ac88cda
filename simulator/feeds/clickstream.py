"""Visits to the lender's site and app: an interest in a product shows before it is bought."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from simulator import columns
from simulator import people as folk
from simulator.calendar import local_instants, to_date
from simulator.feeds.contacts import customer_offsets
from simulator.people import PRODUCTS, People
from simulator.seeds import generator

Ints = npt.NDArray[np.int64]

EVENT_TYPES = ("page_view", "product_view", "calculator", "apply_start", "login", "apply_submit")
DEVICES = ("android", "ios", "desktop")
_LATER_EVENT_SHARE = (0.34, 0.44, 0.16, 0.06)
#: Of all borrowers on a day: applications without a consent to look into bank accounts.
_APPLIES_WITHOUT_CONSENT = 0.002
_LOGIN, _START, _SUBMIT = 4, 3, 5


def rows(seed: int, people: People, day: int, consenting: Ints) -> pa.Table:
    """The events of ``day``: visits first, then the applications submitted on it.

    ``consenting`` are the customers who consented today that their accounts are read for a loan
    application: the consent is a step of the application.
    """
    visits = _visits(seed, people, day)
    applications = _applications(seed, people, day, consenting)
    first_free = 1 + visits.session.max(initial=-1)
    applications = applications._replace(session=first_free + applications.session)
    both = _Events(*map(np.concatenate, zip(visits, applications, strict=True)))
    has_no_product = (both.kind == 0) | (both.kind == _LOGIN)
    return pa.table(
        {
            "event_id": columns.numbered(f"E{to_date(day):%Y%m%d}", np.arange(len(both.kind)), 7),
            "customer_id": folk.customer_ids(both.customer),
            "occurred_at_utc": columns.instants(both.at),
            "event_type": columns.pick(EVENT_TYPES, both.kind),
            "product": columns.blank(columns.pick(PRODUCTS, both.product), has_no_product),
            "session_id": columns.numbered(f"S{to_date(day):%Y%m%d}", both.session, 6),
            "device": columns.pick(DEVICES, both.device),
        }
    )


class _Events(NamedTuple):
    """One array element an event; sessions are numbered from 0."""

    customer: Ints
    session: Ints
    at: Ints
    kind: Ints
    product: Ints
    device: Ints


def _visits(seed: int, people: People, day: int) -> _Events:
    """A session is a login or page view followed by a few more steps."""
    rng = generator(seed, "clickstream", day)
    visits = rng.random(len(people)) < 0.015 + 0.13 * people.digital
    session = np.flatnonzero(visits)
    length = 1 + rng.geometric(0.45, len(session)).clip(max=7)
    customer = np.repeat(session, length)
    step = np.arange(len(customer)) - np.repeat(np.cumsum(length) - length, length)
    start = rng.integers(7 * 60, 22 * 60, len(session))
    at = local_instants(day, np.repeat(start, length), customer_offsets(people, customer, day))
    at = at + np.minimum(step * rng.integers(15, 30, len(step)) + step, 59 * 60)
    later = np.searchsorted(np.cumsum(_LATER_EVENT_SHARE), rng.random(len(step)) * 0.999999)
    kind = np.where(step == 0, np.where(rng.random(len(step)) < 0.55, _LOGIN, 0), later)
    interested = rng.random(len(step)) < 0.62
    product = np.where(interested, people.interest[customer], rng.integers(0, 5, len(step)))
    device = np.searchsorted((0.62, 0.8), rng.random(len(session)))
    number = np.repeat(np.arange(len(session)), length)
    return _Events(customer, number, at, kind, product, np.repeat(device, length))


def _applications(seed: int, people: People, day: int, consenting: Ints) -> _Events:
    """A session each: login, application begun, application submitted a quarter of an hour later.

    Everybody applies for the product that interests them.
    """
    rng = generator(seed, "applications", day)
    applies = rng.random(len(people)) < _APPLIES_WITHOUT_CONSENT
    applies[consenting] = True
    who = np.flatnonzero(applies)
    start = rng.integers(9 * 60, 21 * 60, len(who))
    customer = np.repeat(who, 3)
    at = local_instants(day, np.repeat(start, 3), customer_offsets(people, customer, day))
    return _Events(
        customer,
        np.repeat(np.arange(len(who)), 3),
        at + np.tile([0, 120, 1020], len(who)),
        np.tile([_LOGIN, _START, _SUBMIT], len(who)),
        people.interest[customer],
        np.repeat(np.searchsorted((0.62, 0.8), rng.random(len(who))), 3),
    )
