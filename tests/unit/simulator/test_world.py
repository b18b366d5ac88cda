"""The default world, and loading another one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from simulator.errors import SimulationError
from simulator.world import Borrower, DefaultWorld, Message, StoppedClock, load_world

MORNING_IN_PUNE = datetime(2026, 7, 1, 4, 0, tzinfo=UTC)

MESSAGE = Message(
    action_id="a1",
    provider_message_id="p1",
    lender_id="meridian",
    account_id="A0000001",
    channel="whatsapp",
    purpose="collections",
    to="+915550000001",
    language="en",
    template_id="reminder",
    body="Your instalment is overdue.",
    sent_at=MORNING_IN_PUNE,
)
BORROWER = Borrower(
    customer_id="C0000001",
    account_id="A0000001",
    full_name="Asha Testperson",
    country="IN",
    time_zone="Asia/Kolkata",
    currency="INR",
    overdue_amount=Decimal("5000.00"),
    emi_amount=Decimal("2500.00"),
    days_past_due=12,
    best_channel="whatsapp",
    best_slot="morning",
    willingness=1.0,
    persuadability=0.8,
    digital=0.5,
    interest="personal_loan",
    is_in_income_shock=False,
)
ENGAGED = {"opened", "clicked", "replied", "answered"}


def engagement(message: Message, borrower: Borrower, count: int = 400) -> tuple[float, float]:
    """Share of engaged answers and of payments over many action ids."""
    engaged = paid = 0
    for number in range(count):
        one = replace(message, action_id=f"a{number}")
        events, payments = DefaultWorld(seed=7).respond(one, borrower, StoppedClock(one.sent_at))
        engaged += any(event.kind in ENGAGED for event in events)
        paid += bool(payments)
    return engaged / count, paid / count


def test_the_same_action_gets_the_same_answer() -> None:
    clock = StoppedClock(MESSAGE.sent_at)
    answers = [DefaultWorld(seed=7).respond(MESSAGE, BORROWER, clock) for _ in range(2)]
    assert answers[0] == answers[1]


def test_the_best_channel_and_hour_engage_more() -> None:
    best, paid = engagement(MESSAGE, BORROWER)
    evening = replace(MESSAGE, sent_at=MORNING_IN_PUNE + timedelta(hours=8))
    late, _ = engagement(evening, BORROWER)
    elsewhere, _ = engagement(replace(MESSAGE, channel="sms"), BORROWER)
    assert best > late > 0
    assert best > elsewhere > 0
    assert 0 < paid < best


def test_an_income_shock_stops_payments() -> None:
    _, usual = engagement(MESSAGE, BORROWER)
    _, shocked = engagement(MESSAGE, replace(BORROWER, is_in_income_shock=True))
    assert shocked < usual


def test_marketing_and_settled_arrears_cause_no_payment() -> None:
    assert engagement(replace(MESSAGE, purpose="marketing"), BORROWER)[1] == 0
    assert engagement(MESSAGE, replace(BORROWER, overdue_amount=Decimal(0)))[1] == 0


def test_payments_never_exceed_the_arrears() -> None:
    for number in range(200):
        one = replace(MESSAGE, action_id=f"a{number}")
        _, payments = DefaultWorld(seed=7).respond(one, BORROWER, StoppedClock(one.sent_at))
        assert all(0 < payment.amount <= BORROWER.overdue_amount for payment in payments)


def test_a_world_is_loaded_by_name() -> None:
    assert isinstance(load_world("simulator.world:DefaultWorld", seed=1), DefaultWorld)


class NotAWorld:
    """Has no respond."""

    def __init__(self, seed: int) -> None:
        self.seed = seed


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("simulator.world", "write MODULE:CLASS"),
        ("no_such_module_here:World", "cannot be loaded"),
        ("simulator.world:NoSuchClass", "cannot be loaded"),
        (f"{__name__}:NotAWorld", "no method respond"),
    ],
)
def test_an_unusable_world_is_refused(name: str, message: str) -> None:
    with pytest.raises(SimulationError, match=message) as refusal:
        load_world(name, seed=1)
    assert refusal.value.exit_code == 2
