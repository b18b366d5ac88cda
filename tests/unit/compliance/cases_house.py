"""The house rules, which bind everywhere: what violates each and, one step away, what does not."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from tests.support.gate_rows import (
    MORNING,
    NOON,
    OLD,
    Case,
    contact,
    naive,
    offer,
    past,
    people,
    permissions,
    statement,
    stop,
)

CASES: list[Case] = [
    ("a lawful contact", contact(), {}, set()),
    ("a lawful offer", offer(), {}, set()),
    ("kill switch on", contact(), {"kill_switch": True}, {"KILL-SWITCH"}),
    ("kill switch unknown", contact(), {"kill_switch": None}, {"KILL-SWITCH"}),
    ("no address", contact(address_token=None), {}, {"HOUSE-ADDRESS"}),
    ("empty address", contact(address_token=""), {}, {"HOUSE-ADDRESS"}),
    ("unknown country", contact(country="FR"), {}, {"HOUSE-JURISDICTION"}),
    ("no country", contact(country=None), {}, {"HOUSE-JURISDICTION"}),
    ("no state", contact(state=None), {}, {"HOUSE-JURISDICTION"}),
    ("state of the other country", contact(state="WY"), {}, {"HOUSE-JURISDICTION"}),
    # permissions
    ("no statement", contact(), {"permissions": permissions()}, {"HOUSE-PERMISSION"}),
    (
        "for another purpose only",
        contact(),
        {"permissions": permissions(statement("granted", OLD, "marketing"))},
        {"HOUSE-PERMISSION"},
    ),
    (
        "granted again later",
        contact(),
        {
            "permissions": permissions(
                statement("withdrawn", OLD), statement("granted", OLD + timedelta(days=1))
            )
        },
        set(),
    ),
    (
        "withdrawn after the send instant",
        contact(),
        {
            "permissions": permissions(
                statement("granted", OLD), statement("withdrawn", NOON + timedelta(seconds=1))
            )
        },
        set(),
    ),
    # suppressions, lists
    ("stop on the channel", contact(), {"suppressions": stop()}, {"HOUSE-SUPPRESSION"}),
    ("stop everywhere", contact(), {"suppressions": stop(channel="*")}, {"HOUSE-SUPPRESSION"}),
    ("stop on e-mail only", contact(), {"suppressions": stop(channel="email")}, set()),
    ("stop for marketing only", contact(), {"suppressions": stop(purpose="marketing")}, set()),
    ("stop of somebody else", contact(), {"suppressions": stop(customer_id="c2")}, set()),
    ("blacklisted", contact(), {"blacklist": people("c1")}, {"HOUSE-BLACKLIST"}),
    ("somebody else blacklisted", contact(), {"blacklist": people("c2")}, set()),
    ("fraud reported", contact(), {"fraud": people("c1")}, {"HOUSE-FRAUD"}),
    ("fraud of somebody else", contact(), {"fraud": people("c2")}, set()),
    # caps
    ("contacted this morning", contact(), {"contacts": past(NOON + MORNING)}, {"HOUSE-CAP"}),
    ("contacted yesterday", contact(), {"contacts": past(NOON - timedelta(days=1))}, set()),
    (
        "a minute past the person's midnight",
        contact(),
        {"contacts": past(naive(2026, 6, 1, 18, 31))},
        {"HOUSE-CAP"},
    ),
    (
        "a minute before the person's midnight",
        contact(),
        {"contacts": past(naive(2026, 6, 1, 18, 29))},
        set(),
    ),
    (
        "they wrote to us this morning",
        contact(),
        {"contacts": past(NOON + MORNING, is_outbound=False)},
        set(),
    ),
    (
        "three in the last six days",
        contact(),
        {"contacts": past(*(NOON - timedelta(days=d) for d in (1, 2, 6)))},
        set(),
    ),
    (
        "four in the last six days",
        contact(),
        {"contacts": past(*(NOON - timedelta(days=d) for d in (1, 2, 3, 6)))},
        {"HOUSE-CAP"},
    ),
    (
        "the fourth was seven days ago",
        contact(),
        {"contacts": past(*(NOON - timedelta(days=d) for d in (1, 2, 3, 7)))},
        set(),
    ),
    # the leap day counts as a day
    (
        "four contacts in the week over 29 February 2028",
        contact(scheduled_at_utc=naive(2028, 3, 2, 6, 30)),
        {
            "contacts": past(
                *(naive(2028, m, d, 6, 30) for m, d in ((2, 25), (2, 28), (2, 29), (3, 1)))
            )
        },
        {"HOUSE-CAP"},
    ),
    (
        "the oldest of them a day earlier",
        contact(scheduled_at_utc=naive(2028, 3, 2, 6, 30)),
        {
            "contacts": past(
                *(naive(2028, m, d, 6, 30) for m, d in ((2, 24), (2, 28), (2, 29), (3, 1)))
            )
        },
        set(),
    ),
    # amounts and terms
    ("nothing due", contact(amount_due=Decimal("0.00")), {}, {"HOUSE-AMOUNT"}),
    ("amount unknown", contact(amount_due=None), {}, {"HOUSE-AMOUNT"}),
    ("offer expires at the send instant", offer(offer_expires_at_utc=NOON), {}, {"HOUSE-OFFER"}),
    (
        "offer expires a second later",
        offer(offer_expires_at_utc=NOON + timedelta(seconds=1)),
        {},
        set(),
    ),
    ("offer without expiry", offer(offer_expires_at_utc=None), {}, {"HOUSE-OFFER"}),
    ("offer at 36 %", offer(offer_annual_rate=0.36), {}, set()),
    ("offer above 36 %", offer(offer_annual_rate=0.3601), {}, {"HOUSE-OFFER"}),
    (
        "offer that repays less than it lends",
        offer(offer_emi=Decimal("8333.00")),
        {},
        {"HOUSE-OFFER"},
    ),
    ("offer without tenor", offer(offer_tenor_months=None), {}, {"HOUSE-OFFER"}),
]
