"""The loop: answers once, in order, never early, whatever dies in between."""

import csv
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from simulator.errors import SimulationError
from simulator.generate import generate
from simulator.loop import RespondSummary, respond
from simulator.world import Borrower, Clock, DefaultWorld, Event, Message, Payment
from tests.unit.simulator.conftest import Home, tree

SEED = 7
MORNING = datetime(2026, 7, 1, 4, 0, tzinfo=UTC)
NEXT_DAYS = datetime(2026, 7, 3, 1, 0, tzinfo=UTC)
"""By then 1 and 2 July are closed and delivered."""


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lender with messages in its outbox."""
    path = tmp_path_factory.mktemp("loop")
    generate(path, customers=80, days=6, seed=SEED, dirty_share=0.0)
    for number, row in enumerate(late_accounts(path)):
        channel = ("email", "sms", "whatsapp", "voice")[number % 4]
        write_message(path, f"act{number:04d}", channel, row, MORNING + timedelta(minutes=number))
    return path


@pytest.fixture
def home(generated: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of it."""
    path = tmp_path / "home"
    shutil.copytree(generated, path)
    yield path


def late_accounts(path: Path) -> list[dict[str, str]]:
    """Accounts in arrears on the last day, as the portfolio shows them."""
    with Home(path).files("portfolio")[-1].open(newline="") as handle:
        return [row for row in csv.DictReader(handle) if row["days_past_due"] != "0"]


def write_message(
    path: Path, action_id: str, channel: str, row: dict[str, str], sent_at: datetime
) -> None:
    """An outbox file, as the platform writes it."""
    folder = path / "outbox" / "meridian" / channel / sent_at.date().isoformat()
    folder.mkdir(parents=True, exist_ok=True)
    message = {
        "action_id": action_id,
        "provider_message_id": f"provider-{action_id}",
        "lender_id": "meridian",
        "account_id": row["account_id"],
        "channel": channel,
        "purpose": "collections",
        "to": row["email"] if channel == "email" else row["phone"],
        "language": "en",
        "template_id": "reminder",
        "subject": "Your loan",
        "body": "Your instalment is overdue.",
        "sent_at_utc": sent_at.isoformat().replace("+00:00", "Z"),
        "tags": {"action_id": action_id, "lender_id": "meridian"},
    }
    (folder / f"{action_id}.json").write_text(json.dumps(message))


class EagerWorld:
    """Everybody opens after an hour and pays all arrears in two."""

    def respond(
        self, message: Message, borrower: Borrower, clock: Clock
    ) -> tuple[list[Event], list[Payment]]:
        """One delivery, one payment."""
        kind = "answered" if message.channel == "voice" else "delivered"
        return (
            [Event(kind, timedelta(hours=1))],
            [Payment(borrower.overdue_amount, timedelta(hours=2))],
        )


def go(home: Path, until: datetime, **more: Any) -> RespondSummary:
    """One call with the usual arguments."""
    return respond(
        home, **({"world": DefaultWorld(seed=SEED), "seed": SEED, "until": until} | more)
    )


def stream(home: Path) -> list[dict[str, Any]]:
    """Every line of the stream, in order; file names must fit their first line."""
    lines = []
    for path in sorted((home / "stream/meridian/shard-0000").glob("*.jsonl")):
        content = [json.loads(line) for line in path.read_text().splitlines()]
        assert int(path.stem) == content[0]["sequence"]
        lines += content
    return lines


def test_events_are_gapless_in_order_of_arrival_and_never_early(home: Path) -> None:
    seen = 0
    for hours in (0.5, 1, 3, 40):
        until = MORNING + timedelta(hours=hours)
        go(home, until)
        lines = stream(home)
        assert [line["sequence"] for line in lines] == list(range(1, len(lines) + 1))
        arrivals = [line["arrived_at_utc"] for line in lines]
        assert arrivals == sorted(arrivals)
        assert all(datetime.fromisoformat(arrival) <= until for arrival in arrivals)
        assert len(lines) >= seen
        seen = len(lines)
    assert seen > 10


def test_a_message_is_not_seen_before_it_is_sent(home: Path) -> None:
    assert go(home, MORNING - timedelta(seconds=1)).answered == 0
    assert go(home, MORNING).answered == 1


def test_repeating_a_call_changes_nothing(home: Path) -> None:
    assert go(home, NEXT_DAYS).answered > 0
    before = tree(home)
    again = go(home, NEXT_DAYS)
    assert (again.answered, again.events, again.days_closed) == (0, 0, 0)
    assert tree(home) == before


def test_an_earlier_until_changes_nothing(home: Path) -> None:
    go(home, NEXT_DAYS)
    before = tree(home)
    go(home, MORNING)
    assert tree(home) == before


def test_days_close_when_their_files_are_delivered(home: Path) -> None:
    delivered = datetime(2026, 7, 1, 23, 0, tzinfo=UTC)
    assert go(home, delivered - timedelta(seconds=1)).days_closed == 0
    assert go(home, delivered).days_closed == 1
    names = [path.name for path in Home(home).files("portfolio")]
    assert names[-1].startswith("portfolio_2026-07-01_20260701T")


def test_payments_reach_the_landing_zone_and_the_loans(home: Path) -> None:
    owed = {row["account_id"]: Decimal(row["overdue_amount"]) for row in late_accounts(home)}
    done = go(home, NEXT_DAYS, world=EagerWorld())
    files = [path for path in Home(home).files("payments") if path.stem.endswith("_response")]
    rows = [row for path in files for row in csv.DictReader(path.read_text().splitlines())]
    assert done.payments == len(rows) > 3
    assert {row["value_date"] for row in rows} == {"2026-07-01"}
    assert len({row["payment_id"] for row in rows}) == len(rows)
    portfolio = [path for path in Home(home).files("portfolio") if "_2026-07-01_" in path.name]
    after = {
        row["account_id"]: row for row in csv.DictReader(portfolio[0].read_text().splitlines())
    }
    for row in rows:
        assert Decimal(row["amount"]) >= owed[row["account_id"]]
        assert after[row["account_id"]]["overdue_amount"] == "0.00"
        assert after[row["account_id"]]["days_past_due"] == "0"


def test_answers_to_late_messages_do_not_arrive_in_the_past(home: Path) -> None:
    go(home, NEXT_DAYS)
    last = stream(home)[-1]
    write_message(home, "late", "sms", late_accounts(home)[0], MORNING)
    assert go(home, NEXT_DAYS).events == 0
    go(home, NEXT_DAYS + timedelta(days=1), world=EagerWorld())
    new = stream(home)[last["sequence"] :]
    assert new
    assert all(datetime.fromisoformat(line["arrived_at_utc"]) > NEXT_DAYS for line in new)


def test_closing_days_one_by_one_is_closing_them_at_once(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(home, other)
    for hours in range(0, 24 * 5, 24):
        go(home, NEXT_DAYS + timedelta(hours=hours))
    go(other, NEXT_DAYS)
    go(other, NEXT_DAYS + timedelta(days=4))
    assert tree(home) == tree(other)


class _Died(BaseException):
    """What a killed process looks like from inside."""


def test_a_death_at_any_step_is_made_good(home: Path, tmp_path: Path) -> None:
    calm = tmp_path / "calm"
    shutil.copytree(home, calm)
    steps: list[str] = []
    go(calm, NEXT_DAYS, on_step=steps.append)
    expected = tree(calm)
    assert len(steps) > 10
    for fatal in range(len(steps)):
        hurt = tmp_path / f"hurt{fatal}"
        shutil.copytree(home, hurt)
        left = fatal

        def die(step: str) -> None:
            nonlocal left
            if left == 0:
                raise _Died(step)
            left -= 1

        with pytest.raises(_Died):
            go(hurt, NEXT_DAYS, on_step=die)
        go(hurt, NEXT_DAYS)
        assert tree(hurt) == expected, steps[fatal]
        shutil.rmtree(hurt)


def test_messages_that_come_after_a_death_wait_their_turn(home: Path) -> None:
    """The promised lines stay as they were; the new message's events follow."""

    def die(step: str) -> None:
        if step.startswith("deliver"):
            raise _Died(step)

    with pytest.raises(_Died):
        go(home, NEXT_DAYS, on_step=die)
    promised = stream(home)
    write_message(home, "new", "sms", late_accounts(home)[0], MORNING)
    go(home, NEXT_DAYS + timedelta(days=1))
    assert stream(home)[: len(promised)] == promised
    assert any(
        line["payload"].get("messageId") == "provider-new" for line in stream(home)[len(promised) :]
    )


def test_a_stream_written_by_someone_else_is_refused(home: Path) -> None:
    go(home, MORNING + timedelta(hours=1))
    path = home / "stream/meridian/shard-0000/000000009999.jsonl"
    path.write_text("{}\n")
    with pytest.raises(SimulationError, match="Someone else writes to this stream"):
        go(home, NEXT_DAYS)


def test_wrong_homes_seeds_and_messages_are_refused(home: Path, tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="holds no simulated lender") as missing:
        go(tmp_path / "empty", NEXT_DAYS)
    assert missing.value.exit_code == 3
    with pytest.raises(SimulationError, match="was made with seed 7, not 8"):
        go(home, NEXT_DAYS, seed=8)
    row = late_accounts(home)[0] | {"account_id": "A9999999"}
    write_message(home, "stranger", "sms", row, MORNING)
    with pytest.raises(SimulationError, match="does not have"):
        go(home, NEXT_DAYS)


def test_a_broken_outbox_file_is_named(home: Path) -> None:
    path = home / "outbox/meridian/sms/2026-07-01/broken.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{")
    with pytest.raises(SimulationError, match=r"broken\.json is not an outbox message"):
        go(home, NEXT_DAYS)


class _BackwardsWorld:
    def respond(
        self, message: Message, borrower: Borrower, clock: Clock
    ) -> tuple[list[Event], list[Payment]]:
        return [Event("sent", timedelta(seconds=-1))], []


def test_a_world_cannot_answer_before_the_question(home: Path) -> None:
    with pytest.raises(SimulationError, match="delays must not be negative"):
        go(home, NEXT_DAYS, world=_BackwardsWorld())
