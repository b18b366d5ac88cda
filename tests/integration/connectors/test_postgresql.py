"""The same promises on PostgreSQL, where several receivers write at once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import requests

from api.payments_webhook import build_app
from paymentor_assets.audit import ledger
from paymentor_assets.ingestion.connectors.records import verify_exchanges
from resources.clock import FixedClock
from resources.operational_store import OperationalStore
from tests.support.connector_house import ConnectorHouse, Processor, event, sign
from tests.support.http_fake import fake_source, served
from tests.support.landing_house import NOW
from tests.support.postgres import postgres_url

PAID = datetime(2026, 6, 30, 18, 0, tzinfo=UTC)


def test_webhooks_and_backfill_at_once(connected: ConnectorHouse) -> None:
    with postgres_url() as url:
        store = OperationalStore(url)
        connected = ConnectorHouse(replace(connected.house, store=store))
        processor = Processor([event(n, PAID) for n in range(1, 9)])
        with fake_source(processor) as source:
            connected.connect(source, "payments", webhook_secret_variables=["WEBHOOK_SECRET"])
            lenders = {"meridian": connected.house.lender}
            app = build_app(store, lenders, connected.book, connected.contracts, FixedClock(NOW))
            with served(app) as receiver, ThreadPoolExecutor(5) as pool:

                def send(number: int) -> int:
                    body = json.dumps(event(number, PAID)).encode()
                    return requests.post(
                        f"{receiver}/webhooks/payments/meridian",
                        data=body,
                        headers={"Webhook-Signature": sign(body, NOW, "whsec_new")},
                        timeout=20,
                    ).status_code

                answers = pool.map(send, [*range(1, 13), *range(5, 13)])
                connected.pull("payments")
                assert set(answers) == {200}
            connected.pull("payments")
        connected.house.ingest()
        paid = [row["payment_id"] for row in connected.house.rows("raw.payments")]
        assert sorted(paid) == sorted(f"P{n}" for n in range(1, 13))
        assert verify_exchanges(store) < ledger.verify(store)
        store.close()
