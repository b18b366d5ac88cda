"""A connector or a receiver may die at any durable step: nothing is lost, and nothing comes
twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import requests

from api.payments_webhook import build_app
from paymentor_assets.audit import ledger
from paymentor_assets.ingestion.connectors.records import verify_exchanges
from resources import crash_points
from resources.clock import FixedClock
from resources.crash_points import SimulatedCrash, armed
from resources.operational_schema import connector_deliveries, connector_items
from tests.support.connector_house import Bureau, ConnectorHouse, Processor, event, sign
from tests.support.http_fake import fake_source, served
from tests.support.landing_house import NOW, as_csv, portfolio_row

PAID = datetime(2026, 6, 30, 18, 0, tzinfo=UTC)
POINTS = [
    "connectors.after_page",
    "connectors.after_staging",
    "connectors.before_commit",
    "connectors.after_commit",
    "connectors.after_placing",
]
LATER = NOW + timedelta(minutes=30)


def test_the_points_are_known() -> None:
    named = [name for name in crash_points.names() if name.startswith("connectors.")]
    assert sorted(named) == sorted(POINTS)


@pytest.fixture
def processor(connected: ConnectorHouse) -> Iterator[Processor]:
    processor = Processor([event(n, PAID) for n in range(1, 6)])
    with fake_source(processor) as source:
        connected.connect(source, "payments", webhook_secret_variables=["WEBHOOK_SECRET"])
        yield processor


def delivered(connected: ConnectorHouse, table: str, key: str) -> list[str]:
    """Keys in a raw table after ingestion, and the store's own word on what was delivered."""
    connected.house.ingest(run_id="ingestion")
    files = connected.stored(connector_deliveries)
    assert {file["uri"] for file in files} <= set(connected.landed())
    assert connected.staged() == []
    assert {item["rows"] for item in connected.stored(connector_items)} == {None}
    ledger.verify(connected.house.store)
    verify_exchanges(connected.house.store)
    return [str(row[key]) for row in connected.house.rows(table)]


@pytest.mark.parametrize("point", POINTS)
def test_a_backfill_may_die_anywhere(
    connected: ConnectorHouse, processor: Processor, point: str
) -> None:
    with armed(point), pytest.raises(SimulatedCrash):
        connected.pull("payments")
    # What the source tells meanwhile comes with the next run.
    processor.events.append(event(6, PAID))
    connected.at(LATER).pull("payments")
    expected = [f"P{n}" for n in range(1, 7)]
    assert delivered(connected.at(LATER), "raw.payments", "payment_id") == expected


@pytest.mark.parametrize("point", POINTS[1:])
def test_a_bureau_pull_may_die_anywhere(connected: ConnectorHouse, point: str) -> None:
    connected.house.deliver("portfolio", as_csv([portfolio_row(n) for n in (1, 2, 3)]))
    connected.house.ingest()
    bureau = Bureau(["C1", "C2", "C3"])
    with fake_source(bureau) as source:
        connected.connect(source, "bureau", bureau="cibil")
        with armed(point), pytest.raises(SimulatedCrash):
            connected.pull("bureau")
        connected.at(LATER).pull("bureau")
    later = connected.at(LATER)
    assert delivered(later, "raw.bureau_reports", "customer_id") == ["C1", "C2", "C3"]
    assert delivered(later, "raw.bureau_tradelines", "customer_id") == ["C1", "C2", "C3"]
    assert len(bureau.footprints) == 2, "who was asked about again was asked under the same key"


def test_run_after_run_may_die(connected: ConnectorHouse, processor: Processor) -> None:
    for number, point in enumerate(POINTS):
        processor.events.append(event(10 + number, PAID))
        try:
            with armed(point):
                connected.at(NOW + timedelta(minutes=number)).pull("payments")
        except SimulatedCrash:
            continue
    connected.at(LATER).pull("payments")
    keys = delivered(connected.at(LATER), "raw.payments", "payment_id")
    assert sorted(keys) == sorted([*(f"P{n}" for n in range(1, 6)), *(f"P1{n}" for n in range(5))])


@pytest.mark.parametrize(
    ("point", "answer"), [("webhooks.before_commit", "kept"), ("webhooks.after_commit", "known")]
)
def test_a_receiver_may_die_before_it_answers(
    connected: ConnectorHouse, processor: Processor, point: str, answer: str
) -> None:
    house = connected.house
    app = build_app(
        house.store,
        {"meridian": house.lender},
        connected.book,
        connected.contracts,
        FixedClock(NOW),
    )
    body = json.dumps(event(9, PAID)).encode()
    headers = {"Webhook-Signature": sign(body, NOW, "whsec_new")}

    with served(app) as url:
        path = f"{url}/webhooks/payments/meridian"
        with armed(point):
            died = requests.post(path, data=body, headers=headers, timeout=20)
        again = requests.post(path, data=body, headers=headers, timeout=20)
    assert died.status_code == 500, "the processor will send it again"
    assert (again.status_code, again.json()["result"]) == (200, answer)
    connected.pull("payments")
    keys = delivered(connected, "raw.payments", "payment_id")
    assert keys == [*(f"P{n}" for n in range(1, 6)), "P9"]
