"""Generating a history: same arguments, same bytes; the promised files; clear refusals."""

from datetime import date
from pathlib import Path

import pytest
import yaml

from simulator.calendar import day_number, is_sunday, to_date
from simulator.delivery import cutoff_instant, delivered_at
from simulator.errors import SimulationError
from simulator.generate import generate
from simulator.lender import FEEDS
from tests.unit.simulator.conftest import DAYS, FIRST_DAY, LAST_DAY, Home, tree


def test_same_arguments_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        generate(tmp_path / name, customers=40, days=9, seed=3, dirty_share=0.05)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_another_seed_is_another_lender(tmp_path: Path) -> None:
    for seed in (3, 4):
        generate(tmp_path / str(seed), customers=20, days=2, seed=seed)
    assert tree(tmp_path / "3" / "landing") != tree(tmp_path / "4" / "landing")


def test_repeating_a_generation_touches_nothing(tmp_path: Path) -> None:
    first = generate(tmp_path, customers=20, days=2, seed=3)
    times = _times(tmp_path)
    second = generate(tmp_path, customers=20, days=2, seed=3)
    assert (first.is_new, second.is_new) == (True, False)
    assert second.rows == first.rows
    assert times == _times(tmp_path)


def _times(path: Path) -> dict[Path, int]:
    return {p: p.stat().st_mtime_ns for p in path.rglob("*") if p.is_file()}


def test_another_lender_in_the_same_home_is_refused(tmp_path: Path) -> None:
    generate(tmp_path, customers=20, days=2, seed=3)
    with pytest.raises(SimulationError, match="already holds") as refusal:
        generate(tmp_path, customers=21, days=2, seed=3)
    assert refusal.value.exit_code == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"customers": 0}, "--customers is 0"),
        ({"days": 0}, "--days is 0"),
        ({"dirty_share": 0.9}, "--dirty-share is 0.9"),
        ({"lender_id": "../evil"}, "not usable"),
    ],
)
def test_impossible_arguments(tmp_path: Path, change: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {"customers": 5, "days": 1, "seed": 1} | change
    with pytest.raises(SimulationError, match=message) as refusal:
        generate(tmp_path, **arguments)  # type: ignore[arg-type]
    assert refusal.value.exit_code == 2
    assert not list(tmp_path.iterdir())


def test_every_feed_comes_at_its_own_rhythm(clean: Home) -> None:
    days = [to_date(day_number(FIRST_DAY) + i) for i in range(DAYS)]
    sundays = [day for day in days if is_sunday(day_number(day))]
    expected = {
        "portfolio": days,
        "payments": days,
        "contact_history": days,
        "clickstream_events": days,
        "campaign_responses": sundays,
        "aa_deposits": sundays,
        "bureau_reports": days[::30],
        "bureau_tradelines": days[::30],
        "bureau_enquiries": days[::30],
    }
    held = {p.name for p in (clean.path / "simulator/meridian/held").rglob("*.*")}
    for feed in FEEDS:
        names = [path.name for path in clean.files(feed)]
        names += [name for name in held if name.startswith(f"{feed}_")]
        dates = [date.fromisoformat(name.removeprefix(f"{feed}_")[:10]) for name in names]
        assert len(set(dates)) == len(dates), feed
        if feed in expected:
            assert sorted(dates) == expected[feed], feed
        else:
            assert FIRST_DAY in dates, feed


def test_files_arrive_in_the_night_and_only_optional_ones_late(clean: Home) -> None:
    late = []
    for feed in FEEDS:
        for path in clean.files(feed):
            day = day_number(date.fromisoformat(path.name.removeprefix(f"{feed}_")[:10]))
            after_midnight = delivered_at(path.name) - (cutoff_instant(day) - 6 * 3_600)
            assert 30 * 60 <= after_midnight < 20 * 3_600, path.name
            if after_midnight > 6 * 3_600:
                late.append(feed)
            else:
                assert after_midnight < 4.5 * 3_600, path.name
    assert late
    assert not {"portfolio", "payments", "aa_consents"} & set(late)
    assert len(late) < 0.08 * sum(len(clean.files(feed)) for feed in FEEDS)


def test_nothing_is_delivered_after_the_last_cutoff(clean: Home) -> None:
    latest = max(delivered_at(path.name) for feed in FEEDS for path in clean.files(feed))
    assert latest <= cutoff_instant(day_number(LAST_DAY))


def test_the_lender_file_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "lenders" / "meridian.yaml"
    path.parent.mkdir()
    path.write_text("lender_id: meridian\n")
    generate(tmp_path, customers=5, days=1, seed=1)
    assert path.read_text() == "lender_id: meridian\n"


def test_the_lender_file_holds_the_contract(clean: Home) -> None:
    terms = yaml.safe_load((clean.path / "lenders" / "meridian.yaml").read_text())
    assert terms["zone"] == "Asia/Kolkata"
    assert terms["daily_cutoff"] == "06:00"
    assert terms["required_feeds"] == ["portfolio", "payments"]
    assert tuple(terms["feeds"]) == FEEDS
    capacity = {name: channel["daily_capacity"] for name, channel in terms["channels"].items()}
    assert capacity["voice"] < capacity["whatsapp"] < capacity["sms"] < capacity["email"]
