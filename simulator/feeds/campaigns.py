"""Responses to past offers, controls included: what offer models learn from."""

import numpy as np
import pyarrow as pa

from simulator import columns
from simulator import people as folk
from simulator.book import LoanBook
from simulator.calendar import local_instants, months_since_epoch, to_date
from simulator.feeds.contacts import customer_offsets
from simulator.people import CHANNELS, PRODUCTS
from simulator.seeds import generator

OFFERED_SHARE, CONTROL_SHARE = 0.04, 0.15
RESPONSES = ("accepted", "declined", "ignored")


def rows(seed: int, book: LoanBook, day: int) -> pa.Table:
    """One week's campaign, closed on ``day``: offers made on its first four days.

    Controls were chosen but not offered; a few of them take the product on their own, which is
    what makes uplift measurable. Only borrowers without arrears are chosen.
    """
    people, rng = book.people, generator(seed, "campaigns", day)
    product = int(to_date(day).isocalendar().week % len(PRODUCTS))
    late = np.zeros(len(people), dtype=bool)
    late[book.loans.customer[book.position(day - 6).days_past_due > 0]] = True
    chosen = np.flatnonzero((rng.random(len(people)) < OFFERED_SHARE) & ~late)
    count = len(chosen)
    is_control = rng.random(count) < CONTROL_SHARE
    channel = np.where(
        people.has_email[chosen], rng.choice([0, 1, 2], count), rng.choice([1, 2], count)
    )
    shock = book.shocks.during(int(months_since_epoch(day)))[chosen]
    logit = (
        -3.1
        + 2.1 * (people.interest[chosen] == product)
        + 0.8 * (people.best_channel[chosen] == channel)
    )
    logit = logit + 0.5 * shock + 1.2 * people.digital[chosen] - 2.2 * is_control
    draw = rng.random(count)
    accept = 1 / (1 + np.exp(-logit))
    response = np.where(draw < accept, 0, np.where((draw < accept + 0.12) & ~is_control, 1, 2))
    offered_day = day - 6 + rng.integers(0, 4, count)
    minutes = rng.integers(9 * 60, 18 * 60, count)
    at = local_instants(0, minutes, customer_offsets(people, chosen, day)) + offered_day * 86_400
    responded = at + rng.integers(600, 2 * 86_400, count)
    week = to_date(day).isocalendar()
    return pa.table(
        {
            "response_id": columns.numbered(f"R{to_date(day):%Y%m%d}", np.arange(count), 6),
            "customer_id": folk.customer_ids(chosen),
            "campaign_id": pa.array(
                [f"CMP-{week.year}W{week.week:02d}-{PRODUCTS[product]}"] * count, pa.string()
            ),
            "product": pa.array([PRODUCTS[product]] * count, pa.string()),
            "channel": columns.pick(CHANNELS, channel),
            "offered_at_utc": columns.instants(at),
            "responded_at_utc": columns.instants(responded, response == 2),
            "response": columns.pick(RESPONSES, response),
            "is_control": columns.booleans(is_control),
        }
    )
