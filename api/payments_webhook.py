"""The receiver of payment processors' webhooks: `POST /webhooks/{connector}/{lender}`.

An event is answered 200 only after it stands in the operational store, so that a processor which
hears nothing may send it again; the event's id makes that harmless. The connector's next run
delivers what waits (`ingestion.connectors.pull`).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paymentor_assets.connections import ConnectorBook, PaymentsSource
from paymentor_assets.ingestion.connectors import records
from paymentor_assets.ingestion.connectors.delivery import collect
from paymentor_assets.ingestion.connectors.http import exchange_of
from paymentor_assets.ingestion.connectors.interface import Item
from paymentor_assets.ingestion.connectors.payments import item_of
from paymentor_assets.ingestion.connectors.records import Source
from paymentor_assets.ingestion.connectors.signatures import check_webhook
from paymentor_assets.ingestion.contracts.book import ContractBook
from paymentor_assets.ingestion.contracts.model import FeedContract
from paymentor_assets.lenders import Lender
from resources.clock import Clock
from resources.crash_points import reach, register
from resources.errors import ConnectorError, SignatureError
from resources.operational_store import OperationalStore

register("webhooks.before_commit", "webhooks.after_commit")

ACTOR = "webhooks"
#: Events of processors are a few kilobytes; more is no event.
MOST_BYTES = 256 << 10
_log = logging.getLogger(__name__)


def build_app(
    store: OperationalStore,
    lenders: Mapping[str, Lender],
    book: ConnectorBook,
    contracts: ContractBook,
    clock: Clock,
) -> Starlette:
    """The application. It answers 200 for an event that is kept or was kept before, 400 for what
    is no event, 401 for a signature that does not hold, 404 for a lender without such a connector
    and 413 for a body over the limit; what it says holds no detail.
    """

    def judge(request: Request, body: bytes) -> Response:
        lender = lenders.get(request.path_params["lender"])
        name = request.path_params["connector"]
        config = book.of(lender.lender_id).get(name) if lender else None
        if (
            lender is None
            or not isinstance(config, PaymentsSource)
            or not config.webhook_secret_variables
        ):
            return _answer(404, "unknown")
        source = Source(lender.lender_id, name, ACTOR)
        secrets = [book.secret(variable) for variable in config.webhook_secret_variables]
        try:
            check_webhook(request.headers.get(config.signature_header), body, secrets, clock.now())
            item = item_of(_document(body), lender, clock.now())
        except SignatureError as error:
            _log.warning("A webhook for %s was refused. %s", source.name, error)
            return _answer(401, "signature refused")
        except ConnectorError as error:
            _log.warning("A webhook for %s was not understood. %s", source.name, error)
            return _answer(400, "not an event")
        feeds = contracts.feeds(lender.lender_id)
        return _keep(store, source, feeds, item, request.url.path, body, clock)

    async def receive(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return _answer(413, "too large")
        return await run_in_threadpool(judge, request, body)

    return Starlette(routes=[Route("/webhooks/{connector}/{lender}", receive, methods=["POST"])])


def _keep(
    store: OperationalStore,
    source: Source,
    feeds: Mapping[str, FeedContract],
    item: Item,
    path: str,
    body: bytes,
    clock: Clock,
) -> Response:
    with store.write() as connection:
        if records.known_items(connection, source, [item.item_id]):
            return _answer(200, "known")
        answer = _answer(200, "kept")
        exchange = exchange_of("POST", path, body, 200, bytes(answer.body), clock.now())
        numbers = records.record_exchanges(connection, source, [exchange], clock)
        collect(connection, source, feeds, [item], numbers[exchange])
        reach("webhooks.before_commit")
    reach("webhooks.after_commit")
    return answer


async def _body(request: Request) -> bytes | None:
    """The raw bytes, which are what is signed; None when there are too many."""
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > MOST_BYTES:
                return None
            parts.append(part)
    except ClientDisconnect:
        # Nobody is left to answer; what was not sent whole has no valid signature either.
        return b""
    return b"".join(parts)


def _document(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise ConnectorError("The body is not JSON.") from None


def _answer(status: int, result: str) -> JSONResponse:
    return JSONResponse({"result": result}, status)
