"""What every landing zone does, whether it is a folder, a server or a bucket."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from resources.landing_zone import LocalLandingZone
from tests.support.landing_zones import (
    FolderStage,
    Stage,
    bucket_stage,
    local_stage,
    sftp_stage,
)

DAY = date(2026, 6, 30)
NAMES = itertools.count()


@pytest.fixture(params=["folder", "sftp", "moto", "seaweedfs"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """Each kind of zone, empty."""
    name = f"zone{next(NAMES)}"
    match request.param:
        case "folder":
            opened = local_stage(tmp_path)
        case "sftp":
            opened = sftp_stage(request.getfixturevalue("drop"), name)
        case server:
            opened = bucket_stage(request.getfixturevalue(server), f"drop/{name}")
    with opened as made:
        yield made


def uri(day: date = DAY, feed: str = "portfolio", suffix: str = "", lender: str = "m") -> str:
    return f"{lender}/{feed}/{feed}_{day}{suffix}.csv"


def listed(stage: Stage, since: date | None = None) -> list[str]:
    return [file.uri for file in stage.zone.list(since)]


def test_an_empty_zone_lists_nothing(stage: Stage) -> None:
    assert stage.zone.list() == stage.zone.list(DAY) == []


def test_a_file_is_listed_with_what_its_name_says(stage: Stage) -> None:
    stage.put("m/portfolio/portfolio_2026-06-30_20260630T200000Z_x.csv", b"12345")
    (file,) = stage.zone.list()
    assert (file.lender_id, file.feed, file.business_date) == ("m", "portfolio", DAY)
    assert file.delivered_at_utc == datetime(2026, 6, 30, 20, tzinfo=UTC)
    assert (file.size, file.name_error) == (5, None)
    assert file.name == "portfolio_2026-06-30_20260630T200000Z_x.csv"
    assert file.completed_at_utc is not None and file.completed_at_utc.tzinfo is not None


def test_the_listing_is_sorted_and_the_same_twice(stage: Stage) -> None:
    for each in (uri(feed="payments"), uri(), uri(lender="a"), uri(suffix="_2")):
        stage.put(each, b"x")
    first = stage.zone.list()
    assert [f.uri for f in first] == sorted(f.uri for f in first)
    assert len(first) == 4
    assert stage.zone.list() == first


def test_days_before_since_are_left_out_and_files_without_a_day_never(stage: Stage) -> None:
    days = [DAY - timedelta(days=n) for n in (400, 31, 30, 29, 0)]
    undated = ["m/portfolio/0001.csv", "m/portfolio/zebra.csv", "m/loose.csv", "loose.csv"]
    undated += ["m/portfolio/portfolio.csv", "m/portfolio/deep/portfolio_2020-01-01.csv"]
    for each in [*map(uri, days), *undated]:
        stage.put(each, b"x")
    assert listed(stage) == sorted([*map(uri, days), *undated])
    assert listed(stage, DAY - timedelta(days=30)) == sorted([*map(uri, days[2:]), *undated])


def test_files_with_odd_names_are_listed_with_the_fault(stage: Stage) -> None:
    stage.put("m/portfolio/no date.csv", b"x")
    stage.put("m/portfolio/portfolio_2026-02-30.csv", b"x")
    assert all(f.name_error for f in stage.zone.list())
    with stage.zone.open("m/portfolio/no date.csv") as stream:
        assert stream.read() == b"x"


def test_partial_uploads_are_not_seen(stage: Stage) -> None:
    name = uri()
    for hidden in (f"{name}.tmp", f"{name}.part", f"{name}.filepart", f"{name}.TMP"):
        stage.put(hidden, b"half")
    stage.put("m/portfolio/.portfolio_2026-06-30.csv", b"half")
    stage.put("m/.staging/portfolio_2026-06-30.csv", b"half")
    assert listed(stage) == listed(stage, DAY) == []


def test_an_overwrite_is_a_new_etag(stage: Stage) -> None:
    stage.put(uri(), b"a,b\n1,2\n")
    (before,) = stage.zone.list()
    stage.put(uri(), b"a,b\n1,3\n")
    (after,) = stage.zone.list()
    assert (before.uri, before.size) == (after.uri, after.size)
    assert before.etag != after.etag


def test_a_deletion_takes_a_file_from_the_listing_and_nothing_else(stage: Stage) -> None:
    stage.put(uri(), b"x")
    stage.put(uri(suffix="_2"), b"y")
    _, other = stage.zone.list()
    stage.delete(uri())
    assert stage.zone.list() == [other]


# Moto takes 15 ms for an upload.
@pytest.mark.parametrize("stage", ["folder", "sftp", "seaweedfs"], indirect=True)
def test_thousands_of_files_are_listed(stage: Stage) -> None:
    days = [DAY - timedelta(days=n) for n in range(25)]
    uris = [uri(day, suffix=f"_{n:02d}") for day in days for n in range(50)]
    stage.put_many(uris)
    assert listed(stage) == sorted(uris)
    assert listed(stage, DAY - timedelta(days=4)) == sorted(uris[:250])


def test_the_bytes_are_those_that_were_put_and_can_be_sought(stage: Stage) -> None:
    content = bytes(range(256)) * 40_000
    stage.put(uri(), content)
    with stage.zone.open(uri()) as stream:
        assert stream.read(3) == content[:3]
        assert stream.seek(-7, io.SEEK_END) == len(content) - 7
        assert stream.read() == content[-7:]
        assert stream.seek(9_000_001) == 9_000_001
        assert stream.read(5) == content[9_000_001:9_000_006]
        stream.seek(0)
        pieces = iter(lambda: stream.read(1 << 20), b"")
        assert b"".join(pieces) == content


def test_an_empty_file_is_a_file(stage: Stage) -> None:
    stage.put(uri(), b"")
    assert [f.size for f in stage.zone.list()] == [0]
    with stage.zone.open(uri()) as stream:
        assert stream.read() == b""


def test_a_file_that_is_not_there_is_an_os_error(stage: Stage) -> None:
    stage.put(uri(), b"x")
    with pytest.raises(FileNotFoundError):
        stage.zone.open(uri(suffix="_other"))


def test_a_name_that_is_not_utf8_is_listed_so_that_it_is_recorded(stage: Stage) -> None:
    if not isinstance(stage, FolderStage):
        pytest.skip("a key of S3 is always UTF-8")
    stage.put("m/portfolio/bad\udcff.csv", b"x")
    (file,) = stage.zone.list()
    assert file.uri == "m/portfolio/bad\\xff.csv" and file.name_error
    with pytest.raises(FileNotFoundError):
        stage.zone.open(file.uri)


def test_a_file_of_ours_is_staged_unseen_then_complete_at_once(stage: Stage) -> None:
    zone, name = stage.zone, uri().rpartition("/")[2]
    assert zone.staged("m/bureau") == []
    zone.stage("m/bureau", name, b"half")
    zone.stage("m/bureau", name, b"whole")
    zone.stage("m/bureau", "another.csv", b"x")
    zone.stage("m/payments", "of_another_writer.csv", b"x")
    assert zone.staged("m/bureau") == ["another.csv", name]
    assert listed(stage) == listed(stage, DAY) == []
    zone.place("m/bureau", name, uri())
    stage.settle(uri())
    (file,) = zone.list()
    assert (file.uri, file.size, file.name_error) == (uri(), 5, None)
    with zone.open(uri()) as stream:
        assert stream.read() == b"whole"
    assert zone.staged("m/bureau") == ["another.csv"]
    zone.discard("m/bureau", "another.csv")
    assert zone.staged("m/bureau") == []
    assert zone.staged("m/payments") == ["of_another_writer.csv"]


def test_a_file_of_ours_may_be_put_into_place_again(stage: Stage) -> None:
    etags = []
    for _ in range(2):
        stage.zone.stage("m/bureau", "a.csv", b"the same")
        stage.zone.place("m/bureau", "a.csv", uri())
        stage.settle(uri())
        (file,) = stage.zone.list()
        etags.append(file.etag)
    assert stage.zone.staged("m/bureau") == []
    # A folder cannot tell; ingestion sees the same bytes and takes nothing twice.
    assert isinstance(stage, FolderStage) or etags[0] == etags[1]


def test_what_was_not_staged_cannot_be_put_into_place(stage: Stage) -> None:
    with pytest.raises(OSError):
        stage.zone.place("m/bureau", "none.csv", uri())
    assert listed(stage) == []


def test_a_file_written_in_place_waits_until_it_has_settled(tmp_path: Path) -> None:
    path = tmp_path / uri()
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half")
    changed = datetime.fromtimestamp(path.stat().st_ctime, UTC)

    class At:
        def __init__(self, seconds: float) -> None:
            self.instant = changed + timedelta(seconds=seconds)

        def now(self) -> datetime:
            return self.instant

    def seen(seconds: float) -> bool:
        zone = LocalLandingZone(tmp_path, settling=timedelta(seconds=60), clock=At(seconds))
        return bool(zone.list())

    assert [seen(s) for s in (0, 59, 60.5)] == [False, False, True]
