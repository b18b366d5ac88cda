"""Visits to the lender's site and app: an interest in a product shows before it is bought."""

import numpy as np
import pyarrow as pa

from simulator import columns
from simulator import people as folk
from simulator.calendar import local_instants, to_date
from simulator.feeds.contacts import customer_offsets
from simulator.people import PRODUCTS, People
from simulator.seeds import generator

EVENT_TYPES = ("page_view", "product_view", "calculator", "apply_start", "login")
DEVICES = ("android", "ios", "desktop")
_LATER_EVENT_SHARE = (0.34, 0.44, 0.16, 0.06)


def rows(seed: int, people: People, day: int) -> pa.Table:
    """The events of ``day``; a session is a login or page view followed by a few more steps."""
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
    kind = np.where(step == 0, np.where(rng.random(len(step)) < 0.55, 4, 0), later)
    interested = rng.random(len(step)) < 0.62
    product = np.where(interested, people.interest[customer], rng.integers(0, 5, len(step)))
    names = columns.numbered(f"S{to_date(day):%Y%m%d}", np.arange(len(session)), 6)
    device = np.searchsorted((0.62, 0.8), rng.random(len(session)))
    return pa.table(
        {
            "event_id": columns.numbered(f"E{to_date(day):%Y%m%d}", np.arange(len(step)), 7),
            "customer_id": folk.customer_ids(customer),
            "occurred_at_utc": columns.instants(at),
            "event_type": columns.pick(EVENT_TYPES, kind),
            "product": columns.blank(columns.pick(PRODUCTS, product), (kind == 0) | (kind == 4)),
            "session_id": names.take(pa.array(np.repeat(np.arange(len(session)), length))),
            "device": columns.pick(DEVICES, np.repeat(device, length)),
        }
    )
