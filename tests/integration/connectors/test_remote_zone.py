"""Connectors deliver into whatever landing zone a deployment has, with the same guarantees."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from resources.crash_points import SimulatedCrash, armed
from resources.errors import ConnectorError
from resources.landing_zone import LocalLandingZone
from resources.landing_zone_s3 import S3LandingZone
from tests.support.connector_house import ConnectorHouse, Processor, event
from tests.support.http_fake import fake_source
from tests.support.landing_house import NOW
from tests.support.servers import BUCKET, moto_s3, s3_client

PAID = datetime(2026, 6, 30, 18, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=30)
POINTS = [
    "connectors.after_page",
    "connectors.after_staging",
    "connectors.before_commit",
    "connectors.after_commit",
    "connectors.after_placing",
]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_s3() as url:
        yield url


@pytest.fixture
def zone(endpoint: str) -> Iterator[S3LandingZone]:
    client = s3_client(endpoint)
    yield S3LandingZone(BUCKET, f"in/{uuid4().hex}", client=client)
    client.close()


@pytest.fixture
def processor(connected: ConnectorHouse) -> Iterator[Processor]:
    made = Processor([event(n, PAID) for n in range(1, 6)])
    with fake_source(made) as source:
        connected.connect(source, "payments", webhook_secret_variables=["WEBHOOK_SECRET"])
        yield made


def payments_in(zone: S3LandingZone) -> list[str]:
    """Payments in all listed files."""
    ids = []
    for file in zone.list():
        assert file.name_error is None
        with zone.open(file.uri) as stream:
            ids += [
                row["payment_id"] for row in csv.DictReader(io.StringIO(stream.read().decode()))
            ]
    return sorted(ids)


@pytest.mark.parametrize("point", POINTS)
def test_a_backfill_into_a_bucket_may_die_anywhere(
    connected: ConnectorHouse, processor: Processor, zone: S3LandingZone, point: str
) -> None:
    connected.landing = zone
    with armed(point), pytest.raises(SimulatedCrash):
        connected.pull("payments")
    processor.events.append(event(6, PAID))
    connected.at(LATER).pull("payments")
    assert payments_in(zone) == [f"P{n}" for n in range(1, 7)]
    assert zone.staged("meridian/payments") == []
    assert not (connected.house.root / "landing").exists()


def test_a_death_between_copy_and_deletion_brings_nothing_twice(
    connected: ConnectorHouse,
    processor: Processor,
    zone: S3LandingZone,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def dies(*_: object) -> None:
        raise SimulatedCrash

    connected.landing = zone
    with monkeypatch.context() as patch:
        patch.setattr(zone, "discard", dies)
        with pytest.raises(SimulatedCrash):
            connected.pull("payments")
    before = zone.list()
    assert len(before) == len(zone.staged("meridian/payments")) == 1
    connected.at(LATER).pull("payments")
    assert [(f.uri, f.etag) for f in zone.list()] == [(f.uri, f.etag) for f in before]
    assert zone.staged("meridian/payments") == []


@pytest.mark.parametrize("step", ["staged", "stage", "place"])
def test_a_zone_that_takes_nothing_is_said_and_loses_nothing(
    connected: ConnectorHouse, processor: Processor, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def refuses(*_: object) -> None:
        raise PermissionError("s3:PutObject is not allowed.")

    with monkeypatch.context() as patch:
        patch.setattr(LocalLandingZone, step, refuses)
        with pytest.raises(ConnectorError, match=r"does not take .* s3:PutObject is not allowed"):
            connected.pull("payments")
    connected.at(LATER).pull("payments")
    connected.at(LATER).house.ingest()
    assert [r["payment_id"] for r in connected.house.rows("raw.payments")] == [
        f"P{n}" for n in range(1, 6)
    ]
