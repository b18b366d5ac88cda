"""Reports of customers who are due: asked for once, in three feeds, paid for once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from resources.errors import ConnectorError, UsageError
from resources.operational_schema import connector_deliveries, connector_items
from tests.support.connector_house import Bureau, ConnectorHouse, bureau_report
from tests.support.http_fake import FakeSource, Reply, fake_source, reply
from tests.support.landing_house import NOW, as_csv, portfolio_row

BUREAU_FEEDS = {"bureau_reports": 3, "bureau_tradelines": 3, "bureau_enquiries": 3}


@pytest.fixture
def bureau() -> Bureau:
    return Bureau(["C1", "C2", "C3"])


@pytest.fixture
def source(bureau: Bureau, connected: ConnectorHouse) -> Iterator[FakeSource]:
    """A lender with open accounts of C1 to C4, and a closed one of C5."""
    rows = [portfolio_row(n) for n in range(1, 5)]
    rows.append(portfolio_row(5, account_status="closed"))
    connected.house.deliver("portfolio", as_csv(rows))
    connected.house.ingest()
    with fake_source(bureau) as made:
        connected.connect(made, "bureau", bureau="cibil", refresh_days=30)
        yield made


def asked_for(source: FakeSource) -> list[list[str]]:
    return [asked.document["customers"] for asked in source.asked]


def row_of(connected: ConnectorHouse, table: str) -> dict[str, Any]:
    rows = connected.house.rows(table)
    return {k: v for k, v in rows[0].items() if not k.startswith("_")}


def test_due_customers_come_as_three_files_of_one_delivery(
    connected: ConnectorHouse, source: FakeSource
) -> None:
    done = connected.pull("bureau")
    assert asked_for(source) == [["C1", "C2"], ["C3", "C4"]]
    assert done.rows == BUREAU_FEEDS
    deliveries = connected.stored(connector_deliveries)
    assert {d["feed"] for d in deliveries} == set(BUREAU_FEEDS)
    assert len({d["delivery_id"] for d in deliveries}) == 1
    result = connected.house.ingest(run_id="run-2")
    assert {f.rows_rejected for f in result.files} == {0}
    report = row_of(connected, "raw.bureau_reports")
    assert report.pop("national_id_token").startswith("id1_")
    assert report == {
        "report_id": "RC1-1",
        "customer_id": "C1",
        "bureau": "cibil",
        "report_date": date(2026, 6, 30),
        "score": 731,
    }
    tradeline = row_of(connected, "raw.bureau_tradelines")
    assert (tradeline["report_id"], tradeline["report_date"]) == ("RC1-1", date(2026, 6, 30))
    assert (tradeline["is_own_account"], tradeline["closed_date"]) == (True, None)
    assert tradeline["current_balance"] == Decimal("80000.50")
    assert row_of(connected, "raw.bureau_enquiries")["enquiry_id"] == "EC1"


def test_nobody_is_asked_about_again_before_time(
    connected: ConnectorHouse, source: FakeSource, bureau: Bureau
) -> None:
    connected.pull("bureau")
    # Before the files are taken in, and after.
    assert connected.pull("bureau").files == []
    connected.house.ingest(run_id="run-2")
    assert connected.pull("bureau").files == []
    assert len(source.asked) == 2
    # Thirty days after the reports; C4, whom the bureau did not know, was asked about a day later.
    connected.at(NOW + timedelta(days=29)).pull("bureau")
    assert len(source.asked) == 2
    connected.at(NOW + timedelta(days=30)).pull("bureau")
    assert asked_for(source)[2:] == [["C1", "C2"], ["C3", "C4"]]


def test_a_report_that_came_as_a_file_counts(connected: ConnectorHouse, source: FakeSource) -> None:
    row = {
        "report_id": "R1",
        "customer_id": "C1",
        "national_id": "",
        "bureau": "cibil",
        "report_date": "2026-06-20",
        "score": "",
    }
    others = row | {"report_id": "R2", "customer_id": "C2", "bureau": "experian"}
    connected.house.deliver("bureau_reports", as_csv([row, others]))
    connected.house.ingest(run_id="run-2")
    connected.pull("bureau")
    assert asked_for(source) == [["C2", "C3"], ["C4"]]


def test_the_same_question_on_the_same_day_leaves_one_footprint(
    connected: ConnectorHouse, source: FakeSource, bureau: Bureau
) -> None:
    source.fail_with(Reply(502))
    connected.pull("bureau")
    assert len(source.asked) == 3
    assert len(bureau.footprints) == 2


def test_what_was_pulled_before_a_failure_is_kept(
    connected: ConnectorHouse, source: FakeSource, bureau: Bureau
) -> None:
    source.answer = lambda r: bureau(r) if len(source.asked) == 1 else Reply(400)
    with pytest.raises(ConnectorError):
        connected.pull("bureau")
    assert {item["subject"] for item in connected.stored(connector_items)} == {"C1", "C2"}
    source.answer = bureau
    connected.pull("bureau")
    assert asked_for(source)[2:] == [["C3", "C4"]]


def test_the_bureau_does_not_see_personal_data(
    connected: ConnectorHouse, source: FakeSource
) -> None:
    connected.pull("bureau")
    for asked in source.asked:
        assert set(asked.document) == {"customers", "purpose"}
    assert b"AAAPZ0000A" not in (connected.house.root / "operational.db").read_bytes()


WRONG = [
    ({"reports": []}, "without 'reports' and 'not_found'"),
    ({"reports": [], "not_found": []}, "others, or not for all"),
    ({"reports": [bureau_report("C9")], "not_found": ["C2"]}, "others, or not for all"),
    (
        {"reports": [bureau_report("C1"), bureau_report("C1", 2)], "not_found": ["C2"]},
        "others, or not for all",
    ),
    ({"reports": [{"customer_id": "C1"}], "not_found": ["C2"]}, "without report_id"),
    ({"reports": [bureau_report("C1", tradelines=[1])], "not_found": ["C2"]}, "no list of"),
    ({"reports": [bureau_report("C1", enquiries={})], "not_found": ["C2"]}, "no list of"),
]


def test_an_answer_about_the_wrong_people_is_not_taken(
    connected: ConnectorHouse, source: FakeSource
) -> None:
    for document, said in WRONG:
        source.answer = lambda _, document=document: reply(document)  # type: ignore[misc]
        with pytest.raises(ConnectorError, match=said):
            connected.pull("bureau")
    assert connected.stored(connector_items) == []
    assert connected.staged() == []


def test_a_bureau_is_not_read_since_an_instant(
    connected: ConnectorHouse, source: FakeSource
) -> None:
    with pytest.raises(UsageError, match="asks about what is due now"):
        connected.pull("bureau", since=NOW)
    assert source.asked == []
