"""What only S3 can do wrong: broken downloads, objects replaced meanwhile, listings without end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from resources.errors import SettingsError
from resources.landing_zone_s3 import S3LandingZone
from sensors.landing import build_landing_sensor
from sensors.runs import JobNames
from tests.support.landing_zones import BucketStage, bucket_stage
from tests.support.sensor_house import opened
from tests.support.servers import BUCKET, s3_client

DAY = date(2026, 6, 30)
CONTENT = bytes(range(256)) * 20_000


class Flaky:
    """A client whose downloads break off after some bytes, as long as it has faults left."""

    def __init__(self, client: Any, faults: int, after: int) -> None:
        self._client, self.faults, self._after = client, faults, after
        self.requests: list[dict[str, Any]] = []

    def get_object(self, **arguments: Any) -> dict[str, Any]:
        self.requests.append(arguments)
        answer: dict[str, Any] = self._client.get_object(**arguments)
        answer["Body"] = Breaking(answer["Body"], self)
        return answer

    def is_broken(self, read: int) -> bool:
        if self.faults == 0 or read < self._after:
            return False
        self.faults -= 1
        return True


class Breaking:
    """The body of such a download."""

    def __init__(self, body: Any, flaky: Flaky) -> None:
        self._body, self._flaky, self._read = body, flaky, 0

    def read(self, length: int) -> bytes:
        if self._flaky.is_broken(self._read):
            raise ReadTimeoutError(endpoint_url="somewhere")
        piece: bytes = self._body.read(length)
        self._read += len(piece)
        return piece

    def close(self) -> None:
        self._body.close()


@pytest.fixture(params=["moto", "seaweedfs"])
def bucket(request: pytest.FixtureRequest) -> Iterator[BucketStage]:
    endpoint = request.getfixturevalue(request.param)
    with bucket_stage(endpoint, f"faults/{request.node.name.split('[')[0]}") as stage:
        assert isinstance(stage, BucketStage)
        stage.put("m/f/f_2026-06-30.csv", CONTENT)
        yield stage


def flaky(bucket: BucketStage, faults: int, after: int) -> tuple[S3LandingZone, Flaky]:
    client = Flaky(bucket.client, faults, after)
    return S3LandingZone(BUCKET, bucket.prefix, client=client), client


def test_a_broken_download_goes_on_where_it_stopped(bucket: BucketStage) -> None:
    zone, client = flaky(bucket, 3, 1)
    with zone.open("m/f/f_2026-06-30.csv") as stream:
        assert stream.read() == CONTENT
    assert [r["Range"] for r in client.requests[1:]] == [f"bytes={n << 20}-" for n in range(1, 4)]


def test_a_download_that_never_works_is_an_os_error(bucket: BucketStage) -> None:
    zone, _ = flaky(bucket, 1000, 0)
    with zone.open("m/f/f_2026-06-30.csv") as stream, pytest.raises(OSError, match="f_2026-06-30"):
        stream.read()


def test_a_file_is_never_read_half_from_its_successor(bucket: BucketStage) -> None:
    zone, _ = flaky(bucket, 1, 1)
    with zone.open("m/f/f_2026-06-30.csv") as stream:
        assert stream.read(10) == CONTENT[:10]
        bucket.put("m/f/f_2026-06-30.csv", bytes(len(CONTENT)))
        with pytest.raises(OSError, match="replaced"):
            stream.read()


def test_a_bucket_that_is_not_there_is_an_os_error(moto: str) -> None:
    zone = S3LandingZone("nobodys", client=s3_client(moto))
    for act in (zone.list, lambda: zone.open("x")):
        with pytest.raises(FileNotFoundError):
            act()


def test_a_server_that_is_not_there_is_an_os_error() -> None:
    zone = S3LandingZone("any", client=s3_client("http://127.0.0.1:1"))
    with pytest.raises(OSError, match="s3://any/"):
        zone.list()


def test_a_bounded_listing_asks_for_what_it_needs(seaweedfs: str) -> None:
    with bucket_stage(seaweedfs, "bounded") as stage:
        days = [DAY - timedelta(days=n) for n in range(30)]
        stage.put_many([f"m/f/f_{d}_{n:03d}.csv" for d in days for n in range(80)])
        stage.put("m/f/0001.csv", b"x")
        asked: list[Any] = []
        assert isinstance(stage, BucketStage)
        stage.client.meta.events.register(
            "before-call.s3.*", lambda **sent: asked.append(sent["model"].name)
        )
        found = stage.zone.list(DAY)
        # Two for the folders; one that meets the gap, one behind it.
        assert (len(found), len(asked)) == (81, 4)


def test_the_sensor_asks_for_two_thousand_files_of_a_bucket(seaweedfs: str, tmp_path: Path) -> None:
    uris = [
        f"meridian/portfolio/portfolio_{DAY - timedelta(days=n % 20)}_{n:04d}.csv"
        for n in range(2000)
    ]
    with bucket_stage(seaweedfs, "sensor") as stage, opened(tmp_path) as house:
        stage.put_many(uris)
        house.landing_zone = stage.zone
        sensor = build_landing_sensor(house.settings, JobNames())
        request = house.tick(sensor).only
        assert request.tags["paymentor/files"] == "2000"
        house.settle()
        assert house.tick(sensor).requests == []
        stage.put(uris[7], b"late and other")
        assert house.tick(sensor).only.tags["paymentor/files"] == "1"
        stage.delete(uris[7])
        assert house.tick(sensor).requests == []


@pytest.mark.parametrize("url", ["s3://", "s3:///prefix", "http://bucket/prefix", "s3://u@b/p"])
def test_urls_that_cannot_be_used_are_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="s3://bucket/prefix"):
        S3LandingZone.at(url)
