"""The American rules, federal, state and city: what violates each, and what nearly does."""

from __future__ import annotations

from datetime import timedelta

from tests.support.gate_rows import (
    OLD,
    WEEK,
    Case,
    american,
    dnd,
    naive,
    offer,
    past,
    permissions,
    statement,
)

CASES: list[Case] = [
    ("a lawful american contact", american(), {}, set()),
    (
        "withdrawn in America",
        american(),
        {"permissions": permissions(statement("withdrawn", OLD))},
        {"HOUSE-PERMISSION", "US-MEDIUM"},
    ),
    (
        "US registry, offer",
        offer(**{k: american()[k] for k in ("country", "state", "time_zone", "scheduled_at_utc")}),
        {"dnd": dnd("US_DNC", "0")},
        {"US-DNC"},
    ),
    ("US registry, collections", american(), {"dnd": dnd("US_DNC", "0")}, set()),
    # hours in America, before and after the clocks change (8 March 2026)
    (
        "07:59 EST, the day before",
        american(scheduled_at_utc=naive(2026, 3, 7, 12, 59)),
        {},
        {"US-HOURS"},
    ),
    ("08:00 EST, the day before", american(scheduled_at_utc=naive(2026, 3, 7, 13)), {}, set()),
    (
        "07:59 EDT, on the day",
        american(scheduled_at_utc=naive(2026, 3, 8, 11, 59)),
        {},
        {"US-HOURS"},
    ),
    ("08:00 EDT, on the day", american(scheduled_at_utc=naive(2026, 3, 8, 12)), {}, set()),
    ("21:00 EDT", american(scheduled_at_utc=naive(2026, 6, 3, 1)), {}, set()),
    ("21:01 EDT", american(scheduled_at_utc=naive(2026, 6, 3, 1, 1)), {}, {"US-HOURS"}),
    (
        "07:30 in Washington: the state allows, the federal rule does not",
        american("WA", "America/Los_Angeles", scheduled_at_utc=naive(2026, 6, 2, 14, 30)),
        {},
        {"US-HOURS"},
    ),
    (
        "07:29 in Washington",
        american("WA", "America/Los_Angeles", scheduled_at_utc=naive(2026, 6, 2, 14, 29)),
        {},
        {"US-HOURS", "WA-3"},
    ),
    (
        "07:59 by SMS in Massachusetts",
        american("MA", scheduled_at_utc=naive(2026, 6, 2, 11, 59)),
        {},
        {"US-HOURS", "MA-2x7"},
    ),
    (
        "07:59 by e-mail in Florida, exempt there since May 2025",
        american("FL", channel="email", scheduled_at_utc=naive(2026, 6, 2, 11, 59)),
        {},
        {"US-HOURS"},
    ),
    (
        "20:30 offer in Florida",
        offer(
            country="US",
            state="FL",
            time_zone="America/New_York",
            scheduled_at_utc=naive(2026, 6, 3, 0, 30),
        ),
        {},
        {"FL"},
    ),
    # caps
    (
        "seven calls about the debt in seven days",
        american(channel="voice"),
        {"contacts": past(*WEEK, channel="voice")},
        {"US-CALL-7x7", "HOUSE-CAP"},
    ),
    (
        "seven calls, about another debt",
        american(channel="voice"),
        {"contacts": past(*WEEK, channel="voice", account_id="a2")},
        {"HOUSE-CAP"},
    ),
    (
        "seven calls that never connected",
        american(channel="voice"),
        {"contacts": past(*WEEK, channel="voice", is_connected=False)},
        {"HOUSE-CAP"},
    ),
    (
        "six calls in seven days",
        american(channel="voice"),
        {"contacts": past(*WEEK[1:], channel="voice")},
        {"HOUSE-CAP"},
    ),
    (
        "a conversation six days ago",
        american(channel="voice"),
        {"contacts": past(WEEK[6], channel="voice", is_conversation=True, is_outbound=False)},
        {"US-CALL-CONV"},
    ),
    (
        "a conversation seven days ago",
        american(channel="voice"),
        {"contacts": past(WEEK[6] - timedelta(days=1), channel="voice", is_conversation=True)},
        set(),
    ),
    (
        "a conversation does not forbid an SMS",
        american(),
        {"contacts": past(WEEK[6], channel="voice", is_conversation=True)},
        set(),
    ),
    (
        "two texts in Massachusetts",
        american("MA"),
        {"contacts": past(WEEK[1], WEEK[6])},
        {"MA-2x7"},
    ),
    ("one text in Massachusetts", american("MA"), {"contacts": past(WEEK[6])}, set()),
    (
        "two e-mails in Massachusetts",
        american("MA"),
        {"contacts": past(WEEK[1], WEEK[6], channel="email")},
        set(),
    ),
    (
        "three contacts in Washington",
        american("WA"),
        {"contacts": past(*WEEK[1:4], channel="email")},
        {"WA-3"},
    ),
    ("two contacts in Washington", american("WA"), {"contacts": past(*WEEK[1:3])}, set()),
    # New York City's rule begins on 1 September 2026
    *(
        (
            f"three contacts in New York, {day:%d %B}, {locality}",
            american("NY", locality=locality, scheduled_at_utc=day),
            {"contacts": past(*(day - timedelta(days=d) for d in (1, 2, 3)))},
            expected,
        )
        for day, locality, expected in (
            (naive(2026, 8, 31, 16), "NYC", set[str]()),
            (naive(2026, 9, 1, 16), "NYC", {"NYC-3x7"}),
            (naive(2026, 9, 1, 16), None, {"NYC-3x7"}),
            (naive(2026, 9, 1, 16), "elsewhere", set[str]()),
            # 03:30 UTC on the 1st is still the 31st of August there
            (naive(2026, 9, 1, 0, 30), "NYC", set[str]()),
        )
    ),
]
