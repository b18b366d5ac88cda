"""The webhook receiver over real HTTP: signed, kept before it is answered, delivered once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from api.payments_webhook import MOST_BYTES, build_app
from paymentor_assets.audit import ledger
from paymentor_assets.ingestion.connectors.records import verify_exchanges
from resources.clock import FixedClock
from resources.errors import ConnectorError
from resources.operational_schema import connector_exchanges, connector_items
from tests.support.connector_house import ConnectorHouse, Processor, event, sign
from tests.support.http_fake import FakeSource, Reply, fake_source, served
from tests.support.landing_house import NOW

PAID = datetime(2026, 6, 30, 18, 0, tzinfo=UTC)
PATH = "/webhooks/payments/meridian"


@pytest.fixture
def processor() -> Processor:
    return Processor()


@pytest.fixture
def source(processor: Processor, connected: ConnectorHouse) -> Iterator[FakeSource]:
    with fake_source(processor) as made:
        connected.connect(
            made,
            "payments",
            webhook_secret_variables=["WEBHOOK_SECRET", "WEBHOOK_SECRET_BEFORE"],
            signature_header="Processor-Signature",
        )
        yield made


@pytest.fixture
def receiver(connected: ConnectorHouse, source: FakeSource) -> Iterator[str]:
    house = connected.house
    lenders = {house.lender.lender_id: house.lender}
    app = build_app(house.store, lenders, connected.book, connected.contracts, FixedClock(NOW))
    with served(app) as url:
        yield url


def send(
    url: str, content: object, *, header: str | None = None, at: datetime = NOW, path: str = PATH
) -> tuple[int, str]:
    """Send one event, signed with the newer secret unless a header is given."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    signature = sign(body, at, "whsec_new") if header is None else header
    answer = requests.post(
        url + path, data=body, headers={"Processor-Signature": signature}, timeout=20
    )
    is_ours = answer.headers.get("Content-Type") == "application/json"
    return answer.status_code, answer.json()["result"] if is_ours else ""


def test_an_event_is_kept_then_delivered(connected: ConnectorHouse, receiver: str) -> None:
    assert send(receiver, event(1, PAID)) == (200, "kept")
    assert connected.landed() == {}, "no file an event"
    [item] = connected.stored(connector_items)
    assert json.loads(item["rows"])["payments"][0]["payment_id"] == "P1"
    done = connected.pull("payments")
    assert done.rows == {"payments": 1}
    connected.house.ingest()
    [row] = connected.house.rows("raw.payments")
    assert (row["payment_id"], str(row["amount"]), row["status"]) == ("P1", "5000.01", "success")
    [item] = connected.stored(connector_items)
    assert item["rows"] is None


def test_the_same_event_again_is_answered_and_kept_once(
    connected: ConnectorHouse, receiver: str
) -> None:
    assert send(receiver, event(1, PAID)) == (200, "kept")
    assert send(receiver, event(1, PAID)) == (200, "known")
    connected.pull("payments")
    assert send(receiver, event(1, PAID)) == (200, "known")
    assert connected.at(NOW + timedelta(hours=1)).pull("payments").files == []


def test_by_webhook_and_by_backfill_it_is_one_event(
    connected: ConnectorHouse, receiver: str, processor: Processor
) -> None:
    processor.events = [event(n, PAID) for n in (1, 2, 3)]
    assert send(receiver, processor.events[1]) == (200, "kept")
    assert connected.pull("payments").rows == {"payments": 3}
    assert send(receiver, processor.events[2]) == (200, "known")
    connected.house.ingest()
    assert [r["payment_id"] for r in connected.house.rows("raw.payments")] == ["P1", "P2", "P3"]


def test_many_at_once_are_each_kept_once(connected: ConnectorHouse, receiver: str) -> None:
    events = [event(n % 5, PAID) for n in range(20)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda e: send(receiver, e), events))
    assert sorted(answers) == [(200, "kept")] * 5 + [(200, "known")] * 15
    assert len(connected.stored(connector_items)) == 5
    assert ledger.verify(connected.house.store) == verify_exchanges(connected.house.store) == 5


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        "t=1,v1=",
        sign(b"another body", NOW, "whsec_new"),
        sign(json.dumps(event(1, PAID)).encode(), NOW, "whsec_wrong"),
        sign(json.dumps(event(1, PAID)).encode(), NOW, "whsec_new", scheme="v0"),
    ],
)
def test_a_signature_that_does_not_hold_is_refused(
    connected: ConnectorHouse, receiver: str, header: str
) -> None:
    assert send(receiver, event(1, PAID), header=header) == (401, "signature refused")
    assert connected.stored(connector_items) == []
    assert connected.stored(connector_exchanges) == []


@pytest.mark.parametrize(
    ("skew", "status"), [(-301, 401), (-299, 200), (299, 200), (301, 401), (-86400, 401)]
)
def test_clocks_may_differ_by_minutes_and_a_replay_is_refused(
    connected: ConnectorHouse, receiver: str, skew: int, status: int
) -> None:
    assert send(receiver, event(1, PAID), at=NOW + timedelta(seconds=skew))[0] == status


def test_a_key_is_rotated_without_a_gap(connected: ConnectorHouse, receiver: str) -> None:
    for number, secrets in enumerate((["whsec_old"], ["whsec_wrong", "whsec_new"]), 1):
        body = json.dumps(event(number, PAID)).encode()
        assert send(receiver, body, header=sign(body, NOW, *secrets)) == (200, "kept")


@pytest.mark.parametrize(
    "content",
    [b"", b"not json", b"[" * 100_000, b"\xff", b"[]", {"id": "e"}, event(1, NOW + timedelta(1))],
)
def test_what_is_signed_but_no_event_is_refused(
    connected: ConnectorHouse, receiver: str, content: object
) -> None:
    assert send(receiver, content) == (400, "not an event")
    assert connected.stored(connector_items) == []


def test_a_body_without_end_is_not_read(connected: ConnectorHouse, receiver: str) -> None:
    assert send(receiver, b" " * (MOST_BYTES + 1), header="")[0] == 413


@pytest.mark.parametrize(
    "path",
    [
        "/webhooks/payments/nobody",
        "/webhooks/bureau/meridian",
        "/webhooks/payments/..%2Fmeridian",
        "/webhooks/payments/%00",
    ],
)
def test_nobody_else_is_at_home(receiver: str, path: str) -> None:
    assert send(receiver, event(1, PAID), path=path)[0] == 404


def test_an_event_slightly_ahead_of_our_clock_waits(
    connected: ConnectorHouse, receiver: str
) -> None:
    assert send(receiver, event(1, NOW + timedelta(seconds=90))) == (200, "kept")
    assert connected.pull("payments").files == []
    assert connected.at(NOW + timedelta(minutes=2)).pull("payments").rows == {"payments": 1}


def test_what_waits_is_delivered_although_the_source_is_down(
    connected: ConnectorHouse, receiver: str, source: FakeSource
) -> None:
    send(receiver, event(1, PAID))
    source.fail_with(*[Reply(500)] * 5)
    with pytest.raises(ConnectorError):
        connected.pull("payments")
    assert len(connected.landed()) == 1


def test_hostile_values_are_kept_and_judged_by_the_contract(
    connected: ConnectorHouse, receiver: str
) -> None:
    hostile: list[dict[str, Any]] = [
        event(1, PAID, method="u\x00pi"),
        event(2, PAID, method='=cmd|"\n,'),
        event(3, PAID, amount=10**300),
        event(4, PAID, id={"a": [1]}),
        event(5, PAID, id="P\ud800"),
    ]
    for sent in hostile + [event(n, PAID) for n in range(10, 20)]:
        assert send(receiver, sent) == (200, "kept")
    connected.pull("payments")
    [file] = connected.house.ingest().files
    assert (file.rows_accepted, file.rows_rejected) == (10, 5)
