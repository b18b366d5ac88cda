"""Reports pulled from a credit bureau, for customers whose newest one is too old.

`POST /reports` with `{"customers": [our ids], "purpose": "account_review"}` answers
`{"reports": [report, …], "not_found": [ids]}`; a report carries the columns of `bureau_reports`,
and `tradelines` and `enquiries` with those of their feeds. Customers are named by the reference
under which the lender enrolled them, so no personal data leaves. A pull leaves a footprint and
costs money: the same customers on the same day are asked for under the same idempotency key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from paymentor_assets.ids import deterministic_id
from paymentor_assets.ingestion.connectors.http import Api
from paymentor_assets.ingestion.connectors.interface import (
    Exchange,
    Item,
    Page,
    Row,
    is_plain_id,
)
from paymentor_assets.ingestion.contracts.model import FeedContract
from paymentor_assets.lenders import Lender
from resources.clock import Clock
from resources.errors import ConnectorError

REPORTS, TRADELINES, ENQUIRIES = "bureau_reports", "bureau_tradelines", "bureau_enquiries"
_PURPOSE = "account_review"
#: Columns that parts of a report take from it when they do not say them again.
_INHERITED = ("report_id", "customer_id", "report_date")


class BureauPull:
    """The reports of the customers that are due, some customers a question."""

    feeds = (REPORTS, TRADELINES, ENQUIRIES)
    waits = False

    def __init__(
        self,
        api: Api,
        lender: Lender,
        clock: Clock,
        page_size: int,
        *,
        bureau: str,
        customers: Sequence[str],
        contracts: Mapping[str, FeedContract],
    ) -> None:
        self._api = api
        self._lender = lender
        self._clock = clock
        self._page_size = page_size
        self._bureau = bureau
        self._customers = sorted(customers)
        self._contracts = contracts

    def exchanges(self) -> list[Exchange]:
        """Exchanges since the last call, failed ones among them."""
        return self._api.exchanges()

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """One page a question; there is no cursor, since who is due follows from what is known.

        Raises ConnectorError when the bureau speaks of somebody who was not asked for, or not of
        somebody who was.
        """
        for start in range(0, len(self._customers), self._page_size):
            asked = self._customers[start : start + self._page_size]
            yield self._page(asked)

    def _page(self, asked: Sequence[str]) -> Page:
        now = self._clock.now()
        day = self._lender.local_day(now).isoformat()
        answer, exchange = self._api.ask(
            "POST",
            "/reports",
            body={"customers": list(asked), "purpose": _PURPOSE},
            idempotency_key=deterministic_id(self._lender.lender_id, self._bureau, day, *asked),
        )
        reports, absent = answer.get("reports"), answer.get("not_found")
        if not isinstance(reports, list) or not isinstance(absent, list):
            raise ConnectorError(f"{exchange.url} answered without 'reports' and 'not_found'.")
        items = [self._item(report, exchange) for report in reports]
        told = [item.subject for item in items] + [str(customer) for customer in absent]
        if sorted(told) != sorted(asked):
            raise ConnectorError(
                f"{exchange.url} was asked for {len(asked)} customers and answered for others, or "
                "not for all once; nothing of this answer is taken."
            )
        items += [Item(f"none:{c}:{day}", c, now, {}, "not_found") for c in map(str, absent)]
        return Page(items, exchange)

    def _item(self, report: object, exchange: Exchange) -> Item:
        if not isinstance(report, dict) or not is_plain_id(report.get("report_id")):
            raise ConnectorError(f"{exchange.url} answered with a report without report_id.")
        parts: dict[str, list[object]] = {REPORTS: [{"bureau": self._bureau, **report}]}
        for feed, name in ((TRADELINES, "tradelines"), (ENQUIRIES, "enquiries")):
            listed = report.get(name, [])
            if not isinstance(listed, list) or not all(isinstance(p, dict) for p in listed):
                raise ConnectorError(f"{exchange.url}: '{name}' of a report is no list of objects.")
            inherited = {c: report.get(c) for c in _INHERITED}
            parts[feed] = [{**inherited, **part} for part in listed]
        rows = {
            feed: tuple(_row(part, self._contracts[feed]) for part in listed)
            for feed, listed in parts.items()
            if listed
        }
        return Item(
            item_id=str(report["report_id"]),
            subject=str(report.get("customer_id")),
            occurred_at=exchange.at,
            rows=rows,
            state="reported",
        )


def _row(part: object, contract: FeedContract) -> Row:
    assert isinstance(part, dict)
    columns = contract.records[0].delivered_columns
    return {column.name: _text(part.get(column.name)) for column in columns}


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
