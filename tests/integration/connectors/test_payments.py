"""Backfill of a payment processor: from its list of events to `raw.payments`, once each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from paymentor_assets.audit import ledger
from paymentor_assets.ingestion.connectors.records import verify_exchanges
from resources.errors import ConnectorError, ContractError, LedgerError, NotFound, SettingsError
from resources.operational_schema import (
    connector_cursors,
    connector_deliveries,
    connector_exchanges,
    connector_items,
)
from tests.support.connector_house import ConnectorHouse, Processor, event
from tests.support.http_fake import Asked, FakeSource, Reply, fake_source, reply
from tests.support.landing_house import NOW, make_lender

PAID = datetime(2026, 6, 30, 18, 29, 59, tzinfo=UTC)  # 23:59:59 in Kolkata


@pytest.fixture
def processor() -> Processor:
    return Processor([event(n, PAID + timedelta(seconds=n - 1)) for n in range(1, 6)])


@pytest.fixture
def source(processor: Processor, connected: ConnectorHouse) -> Iterator[FakeSource]:
    with fake_source(processor) as made:
        connected.connect(made, "payments")
        yield made


def payments(connected: ConnectorHouse) -> list[dict[str, Any]]:
    """What the lender's payments are after the landing zone was ingested, without provenance."""
    result = connected.house.ingest(run_id="ingestion")
    assert not [file.message for file in result.files if file.status == "rejected"]
    rows = connected.house.rows("raw.payments")
    return [{k: v for k, v in row.items() if not k.startswith("_")} for row in rows]


def test_every_page_lands_in_one_file_and_every_value_in_raw(
    connected: ConnectorHouse, source: FakeSource
) -> None:
    done = connected.pull("payments")
    assert [asked.params.get("after") for asked in source.asked] == [None, "evt_2", "evt_4"]
    assert (len(done.files), done.rows, len(done.exchanges)) == (1, {"payments": 5}, 3)
    [uri] = connected.landed()
    assert uri.startswith("meridian/payments/payments_2026-07-01_20260701T010000Z_payments-")
    rows = payments(connected)
    assert len(rows) == 5
    assert rows[0] == {
        "payment_id": "P1",
        "account_id": "A1",
        "customer_id": "C1",
        "value_date": date(2026, 6, 30),
        "paid_at_utc": PAID.replace(tzinfo=None),
        "amount": Decimal("5000.01"),
        "currency": "INR",
        "method": "upi",
        "status": "success",
    }
    # One second later it is the next day where the lender is.
    assert rows[1]["value_date"] == date(2026, 7, 1)


def test_asked_again_there_is_nothing_new(
    connected: ConnectorHouse, source: FakeSource, processor: Processor
) -> None:
    connected.pull("payments")
    before = connected.landed()
    later = connected.at(NOW + timedelta(hours=1))
    done = later.pull("payments")
    assert (done.files, done.rows, len(done.exchanges)) == ([], {}, 1)
    assert connected.landed() == before
    processor.events.append(event(6, NOW))
    assert later.pull("payments").rows == {"payments": 1}
    assert len(payments(later)) == 6


def test_read_again_since_an_instant_nothing_is_told_twice(
    connected: ConnectorHouse, source: FakeSource, processor: Processor
) -> None:
    connected.pull("payments")
    # An event that its list showed only afterwards, behind the cursor.
    processor.events.insert(2, event(9, PAID + timedelta(seconds=1)))
    assert connected.pull("payments").files == []
    done = connected.pull("payments", since=PAID)
    assert done.rows == {"payments": 1}
    assert [r["payment_id"] for r in payments(connected)] == ["P1", "P2", "P3", "P4", "P5", "P9"]
    assert connected.stored(connector_cursors)[0]["cursor"] == "evt_5"


def test_of_several_states_of_a_payment_the_newest_is_delivered(
    connected: ConnectorHouse, source: FakeSource, processor: Processor
) -> None:
    hour = timedelta(hours=1)
    processor.events = [
        event(1, PAID),
        event(3, PAID + 2 * hour, "payment.reversed", "P1"),
        event(2, PAID + hour, "payment.failed", "P1"),
    ]
    connected.pull("payments")
    assert [r["status"] for r in payments(connected)] == ["reversed"]
    # An older state that arrives later would pass for the newest one.
    processor.events.append(event(4, PAID, "payment.succeeded", "P1"))
    done = connected.at(NOW + hour).pull("payments")
    assert (done.files, done.rows) == ([], {})
    assert {r["rows"] for r in connected.stored(connector_items)} == {None}


def test_events_that_have_not_settled_are_left_to_the_next_run(
    connected: ConnectorHouse, source: FakeSource, processor: Processor
) -> None:
    processor.events[3]["created"] = int((NOW - timedelta(seconds=30)).timestamp())
    assert connected.pull("payments").rows == {"payments": 3}
    assert connected.stored(connector_cursors)[0]["cursor"] == "evt_3"
    assert connected.at(NOW + timedelta(minutes=1)).pull("payments").rows == {"payments": 2}


def test_other_events_are_noted_and_deliver_nothing(
    connected: ConnectorHouse, source: FakeSource, processor: Processor
) -> None:
    processor.events = [event(1, PAID, "customer.updated")]
    assert connected.pull("payments").files == []
    [item] = connected.stored(connector_items)
    assert (item["state"], item["rows"]) == ("ignored", None)


def test_what_the_contract_forbids_is_quarantined_like_any_row(
    connected: ConnectorHouse, source: FakeSource, processor: Processor
) -> None:
    processor.events += [event(n, PAID) for n in range(20, 30)]
    processor.events += [
        event(6, PAID, amount=-5),
        event(7, PAID, currency="XXX"),
        event(8, PAID, metadata=None),
        event(9, PAID, amount="12,5", method="bit\ud800coin"),
        event(10, PAID, created=10**18),
        event(11, PAID) | {"data": None},
    ]
    connected.pull("payments")
    result = connected.house.ingest()
    assert [(f.rows_accepted, f.rows_rejected) for f in result.files] == [(15, 6)]
    reasons = {row["reason_code"] for row in connected.house.rows("raw.rejected_rows")}
    assert {"BAD_TYPE", "NOT_IN_LIST"} <= reasons


def test_every_exchange_is_in_the_ledger_and_cannot_be_changed_unseen(
    connected: ConnectorHouse, source: FakeSource
) -> None:
    source.fail_with(Reply(500))
    connected.pull("payments")
    store = connected.house.store
    # Four exchanges and one delivery.
    assert ledger.verify(store) == 5
    assert verify_exchanges(store) == 4
    exchanges = connected.stored(connector_exchanges)
    assert [row["status"] for row in exchanges] == [500, 200, 200, 200]
    [file] = connected.stored(connector_deliveries)
    items = connected.stored(connector_items)
    assert {item["delivery_id"] for item in items} == {file["delivery_id"]}
    assert {item["exchange_seq"] for item in items} == {
        row["ledger_seq"] for row in exchanges if row["status"] == 200
    }
    with store.write() as connection:
        connection.execute(connector_exchanges.update().values(status=200))
    with pytest.raises(LedgerError, match="altered"):
        verify_exchanges(store)


def test_a_source_that_fails_half_way_loses_nothing(
    connected: ConnectorHouse, source: FakeSource, processor: Processor
) -> None:
    answers = iter([True, False])

    def fails_on_the_second_page(request: Asked) -> Reply:
        return processor(request) if next(answers) else Reply(400)

    source.answer = fails_on_the_second_page
    with pytest.raises(ConnectorError, match="answered 400"):
        connected.pull("payments")
    assert [row["status"] for row in connected.stored(connector_exchanges)] == [200, 400]
    source.answer = processor
    connected.pull("payments")
    assert source.asked[2].params["after"] == "evt_2"
    assert [row["payment_id"] for row in payments(connected)] == ["P1", "P2", "P3", "P4", "P5"]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"events": []}, "without a list 'data'"),
        ({"data": [1]}, "is a JSON object"),
        ({"data": [{"id": ""}]}, "no id"),
        ({"data": [{"id": "e\x00"}]}, "no id"),
        ({"data": [{"id": "e", "type": "t", "created": True}]}, "no type, or no time"),
        ({"data": [event(1, NOW + timedelta(hours=1))]}, "still to come"),
        ({"data": [], "has_more": True}, "does not honour 'after'"),
        ({"data": [event(1, PAID)], "has_more": True}, "does not honour 'after'"),
    ],
)
def test_a_source_that_breaks_its_promise_is_refused(
    connected: ConnectorHouse, source: FakeSource, document: object, said: str
) -> None:
    source.answer = lambda _: reply(document)
    with pytest.raises(ConnectorError, match=said):
        connected.pull("payments")
    assert connected.stored(connector_exchanges)


def test_what_cannot_work_is_said_before_anything_is_asked(
    connected: ConnectorHouse, source: FakeSource
) -> None:
    with pytest.raises(NotFound, match="known ones: payments"):
        connected.pull("bureau")
    connected.house.lender = make_lender(feeds=["portfolio"], required_feeds=[])
    with pytest.raises(ContractError, match="not among the lender's feeds"):
        connected.pull("payments")
    connected.connect(source, "payments", token_variable="NOT_SET")
    with pytest.raises(SettingsError, match="NOT_SET"):
        connected.pull("payments")
    assert source.asked == []


def test_no_secret_is_written_anywhere(connected: ConnectorHouse, source: FakeSource) -> None:
    connected.pull("payments")
    root = connected.house.root
    holding = [
        path for path in root.rglob("*") if path.is_file() and b"sk_processor" in path.read_bytes()
    ]
    assert holding == []
