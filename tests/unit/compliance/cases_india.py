"""The Indian rules: what violates each and, one step away, what does not."""

from __future__ import annotations

from tests.support.gate_rows import (
    OLD,
    Case,
    contact,
    dnd,
    naive,
    offer,
    permissions,
    statement,
)

CASES: list[Case] = [
    (
        "withdrawn in India",
        contact(),
        {"permissions": permissions(statement("withdrawn", OLD))},
        {"HOUSE-PERMISSION", "IN-DPDP"},
    ),
    (
        "both at one instant: the withdrawal counts",
        contact(),
        {"permissions": permissions(statement("withdrawn", OLD), statement("granted", OLD))},
        {"HOUSE-PERMISSION", "IN-DPDP"},
    ),
    # registries
    ("DND all, offer", offer(), {"dnd": dnd("NCPR", "0")}, {"IN-DND"}),
    ("DND banking, offer", offer(), {"dnd": dnd("NCPR", "3;1")}, {"IN-DND"}),
    ("DND tourism, offer", offer(), {"dnd": dnd("NCPR", "7")}, set()),
    ("DND of another number", offer(), {"dnd": dnd("NCPR", "0", "t2")}, set()),
    ("DND does not bind collections", contact(), {"dnd": dnd("NCPR", "0")}, set()),
    ("DND does not bind e-mail", offer(channel="email"), {"dnd": dnd("NCPR", "0")}, set()),
    # hours in India: 08:00 is 02:30 UTC, 19:00 is 13:30 UTC
    ("07:59 in India", contact(scheduled_at_utc=naive(2026, 6, 2, 2, 29)), {}, {"IN-HOURS"}),
    ("08:00 in India", contact(scheduled_at_utc=naive(2026, 6, 2, 2, 30)), {}, set()),
    ("19:00 in India", contact(scheduled_at_utc=naive(2026, 6, 2, 13, 30)), {}, set()),
    (
        "one microsecond after 19:00",
        contact(scheduled_at_utc=naive(2026, 6, 2, 13, 30, 0, 1)),
        {},
        {"IN-HOURS"},
    ),
    (
        "20:00 in India before the rule",
        contact(scheduled_at_utc=naive(2022, 8, 11, 14, 30)),
        {"permissions": permissions(statement("granted", naive(2020, 1, 1)))},
        set(),
    ),
    (
        "20:00 in India on its first day",
        contact(scheduled_at_utc=naive(2022, 8, 12, 14, 30)),
        {"permissions": permissions(statement("granted", naive(2020, 1, 1)))},
        {"IN-HOURS"},
    ),
    (
        "offer at 09:59 in India",
        offer(scheduled_at_utc=naive(2026, 6, 2, 4, 29)),
        {},
        {"IN-DND"},
    ),
    ("offer at 20:00 in India", offer(scheduled_at_utc=naive(2026, 6, 2, 14, 30)), {}, set()),
]
