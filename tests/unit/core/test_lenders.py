"""Lender contracts: when a day closes, and what a broken contract says about itself."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from paymentor_assets.lenders import Lender, lender_named, load_lender, load_lenders
from resources.errors import ContractError, NotFound

CONTRACT: dict[str, object] = {
    "lender_id": "north",
    "name": "North",
    "role": "first_party",
    "zone": "Europe/Prague",
    "daily_cutoff": "06:00",
    "feeds": ["portfolio", "payments"],
    "required_feeds": ["portfolio"],
    "latest_by": "10:00",
    "currencies": ["CZK"],
    "slots": ["09:00", "14:00"],
    "channels": {"sms": {"daily_capacity": 10, "cost": {"CZK": "1.20"}}},
}


def lender(**changes: object) -> Lender:
    return Lender.model_validate(CONTRACT | changes)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("zone", "cutoff", "day", "expected"),
    [
        # Clocks go forward in the night after the day: the day has 23 hours.
        ("Europe/Prague", "06:00", date(1998, 3, 27), utc(1998, 3, 28, 5)),
        ("Europe/Prague", "06:00", date(1998, 3, 28), utc(1998, 3, 29, 4)),
        ("America/New_York", "06:00", date(2026, 3, 7), utc(2026, 3, 8, 10)),
        # 02:30 does not exist that night; it is read with the offset before the change.
        ("Europe/Prague", "02:30", date(1998, 3, 28), utc(1998, 3, 29, 1, 30)),
        # Clocks go back: the day has 25 hours, and 02:30 comes twice; the first counts.
        ("Europe/Prague", "06:00", date(1998, 10, 24), utc(1998, 10, 25, 5)),
        ("America/New_York", "06:00", date(2026, 10, 31), utc(2026, 11, 1, 11)),
        ("Europe/Prague", "02:30", date(1998, 10, 24), utc(1998, 10, 25, 0, 30)),
        # A leap day, before and after.
        ("Asia/Kolkata", "06:00", date(2024, 2, 28), utc(2024, 2, 29, 0, 30)),
        ("Asia/Kolkata", "06:00", date(2024, 2, 29), utc(2024, 3, 1, 0, 30)),
        ("Asia/Kolkata", "00:00", date(2023, 2, 28), utc(2023, 2, 28, 18, 30)),
        ("UTC", "06:00", date(2025, 12, 31), utc(2026, 1, 1, 6)),
    ],
)
def test_a_day_closes_at_the_local_time_of_the_next_day(
    zone: str, cutoff: str, day: date, expected: datetime
) -> None:
    assert lender(zone=zone, daily_cutoff=cutoff).cutoff_utc(day) == expected
    assert lender(zone=zone, latest_by=cutoff).latest_by_utc(day) == expected


def test_a_day_is_closed_at_its_cutoff_and_not_a_moment_earlier() -> None:
    north = lender()
    for day in (date(1998, 3, 28), date(1998, 10, 24), date(2024, 2, 29)):
        closing = north.cutoff_utc(day)
        assert north.last_closed_day(closing) == day
        assert north.last_closed_day(closing - timedelta(microseconds=1)) == day - timedelta(days=1)


@given(
    day=st.dates(date(1993, 1, 1), date(2060, 1, 1)),
    zone=st.sampled_from(
        ["Europe/Prague", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"]
    ),
    minutes=st.integers(0, 24 * 60 - 1),
)
def test_days_close_one_after_the_other(day: date, zone: str, minutes: int) -> None:
    some = lender(zone=zone, daily_cutoff=f"{minutes // 60:02d}:{minutes % 60:02d}")
    length = some.cutoff_utc(day + timedelta(days=1)) - some.cutoff_utc(day)
    assert timedelta(hours=22) < length < timedelta(hours=26)
    assert some.last_closed_day(some.cutoff_utc(day)) == day


def test_an_instant_falls_on_the_lenders_local_day() -> None:
    midnight = utc(1998, 10, 24, 22)
    assert lender().local_day(midnight) == date(1998, 10, 25)
    assert lender().local_day(midnight - timedelta(microseconds=1)) == date(1998, 10, 24)


def written(directory: Path, content: object, name: str = "north") -> Path:
    path = directory / f"{name}.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_a_contract_is_read_from_its_file(tmp_path: Path) -> None:
    written(tmp_path, CONTRACT)
    written(tmp_path, CONTRACT | {"lender_id": "south"}, "south")
    lenders = load_lenders(tmp_path)
    assert list(lenders) == ["north", "south"]
    assert lender_named(lenders, "north") == lender()
    assert load_lenders(tmp_path / "nowhere") == {}


def test_an_unknown_lender_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="No lender 'east'; known ones: north") as caught:
        lender_named({"north": lender()}, "east")
    assert caught.value.exit_code == 3
    with pytest.raises(NotFound, match="known ones: none"):
        lender_named({}, "east")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"zone": "Europe/Praha"}, "zone: .*'Europe/Praha' is not an IANA time zone"),
        ({"zone": ""}, "zone: .*is not an IANA time zone"),
        ({"required_feeds": ["bureau"]}, r"required feeds \['bureau'\] are not among the feeds"),
        ({"currencies": ["CZK", "EUR"]}, r"channel sms has no cost in \['EUR'\]"),
        ({"channels": {"fax": {"daily_capacity": 1, "cost": {"CZK": "1"}}}}, "channels.fax"),
        ({"channels": {"sms": {"daily_capacity": -1, "cost": {"CZK": "1"}}}}, "daily_capacity"),
        ({"daily_cutoff": "25:00"}, "daily_cutoff: "),
        ({"latest_by": "10:00+01:00"}, "latest_by: .*has an offset; write the local time"),
        ({"colour": "green"}, "colour: Extra inputs are not permitted"),
        ({"max_rejected_share": 2}, "max_rejected_share: "),
        ({"slots": []}, "slots: "),
        ({"lender_id": "North"}, "lender_id: "),
        ({"lender_id": "south"}, "names lender_id 'south'; rename one of them"),
    ],
)
def test_a_wrong_contract_names_its_file_and_the_field(
    tmp_path: Path, changes: dict[str, object], sentence: str
) -> None:
    path = written(tmp_path, CONTRACT | changes)
    with pytest.raises(ContractError, match=sentence) as caught:
        load_lender(path)
    assert str(path) in str(caught.value)


def test_every_fault_of_a_contract_is_named_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, {"lender_id": "north"})
    with pytest.raises(ContractError) as caught:
        load_lender(path)
    for name in ("zone", "daily_cutoff", "feeds", "slots", "channels"):
        assert f"{name}: Field required" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("a: [1", "is not YAML"), ("", "is not a lender contract"), ("- 1", "not a lender contract")],
)
def test_a_file_that_is_no_contract_says_so(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ContractError, match=sentence):
        load_lender(written(tmp_path, text))


@pytest.mark.parametrize("name", ["daily_cutoff", "latest_by"])
def test_a_time_that_yaml_reads_as_a_number_is_refused_not_reinterpreted(
    tmp_path: Path, name: str
) -> None:
    # YAML 1.1 reads an unquoted 10:00 as 600 (base 60), which would pass for ten past midnight.
    text = yaml.safe_dump({k: v for k, v in CONTRACT.items() if k != name}) + f"{name}: 10:00\n"
    with pytest.raises(ContractError, match=f"{name}: .*quotes"):
        load_lender(written(tmp_path, text))


def test_an_unquoted_slot_is_refused_too(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"slots.*quotes"):
        load_lender(written(tmp_path, CONTRACT | {"slots": ["09:00", 840]}))
