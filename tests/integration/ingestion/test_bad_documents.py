"""Bad documents of account aggregators, and the forms in which institutions differ."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.support.landing_house import (
    LandingHouse,
    as_lines,
    consent,
    deposit,
    make_lender,
    refused,
    transaction,
)


def test_a_deposit_needs_its_consent(house: LandingHouse) -> None:
    house.deliver("aa_consents", as_lines(consent(1)))
    strange = deposit(2) | {"consentId": "CO1"}
    house.deliver("aa_deposits", as_lines(deposit(1), deposit(3), strange))
    house.ingest(lender=make_lender(max_rejected_share=1.0))
    assert [r["link_ref_number"] for r in house.rows("raw.aa_accounts")] == ["L1"]
    assert len(house.rows("raw.aa_transactions")) == 2
    codes = [(r["row_number"], r["reason_code"]) for r in house.rows("raw.rejected_rows")]
    assert codes == [
        (4, "UNKNOWN_CONSENT"),
        (5, "PARENT_REJECTED"),
        (6, "PARENT_REJECTED"),
        (7, "UNKNOWN_CONSENT"),
        (8, "PARENT_REJECTED"),
        (9, "PARENT_REJECTED"),
    ]


def test_consents_of_earlier_runs_count(house: LandingHouse) -> None:
    house.deliver("aa_consents", as_lines(consent(1)))
    house.ingest()
    house.deliver("aa_deposits", as_lines(deposit(1)))
    house.ingest(run_id="run-2")
    assert len(house.rows("raw.aa_transactions")) == 2


def test_bad_json_and_its_pieces_are_counted(house: LandingHouse) -> None:
    house.deliver("aa_consents", as_lines(consent(1)))
    content = b"{oops\n" + as_lines(deposit(1, [transaction(1), None, 3]), [1, 2])
    house.deliver("aa_deposits", content)
    house.ingest(lender=make_lender(max_rejected_share=1.0))
    rejected = {r["row_number"]: r for r in house.rows("raw.rejected_rows")}
    assert {n: r["reason_code"] for n, r in rejected.items()} == {
        1: "BAD_JSON",
        4: "BAD_JSON",
        5: "BAD_JSON",
        6: "BAD_JSON",
    }
    opened = [
        house.vault.open_record(r["raw_record"], r["file_id"], n, actor="auditor", purpose="test")
        for n, r in rejected.items()
    ]
    assert opened == [b"{oops", b"null", b"3", b"[1, 2]"]
    assert len(house.rows("raw.aa_transactions")) == 1


def test_a_cut_json_line_refuses_the_file(house: LandingHouse) -> None:
    house.deliver("aa_consents", as_lines(consent(1), consent(2))[:-40])
    house.ingest()
    assert "row 2" in refused(house, "TRUNCATED_FILE")


def test_the_instant_decides_not_the_spelling(house: LandingHouse) -> None:
    spelled = ["2026-06-05T06:00:00+05:30", "2026-06-05T00:30:00Z", "2026-06-05T00:30:00.000Z"]
    items = [transaction(i, transactionTimestamp=s) for i, s in enumerate(spelled)]
    other = {k: v for k, v in transaction(9).items() if k != "transactionTimestamp"}
    items.append(other | {"transactionTimeStamp": spelled[0]})
    items.append(other | {"txnId": "T10", "transactionDateTime": spelled[0]})
    house.deliver("aa_consents", as_lines(consent(1)))
    house.deliver("aa_deposits", as_lines(deposit(1, items)))
    house.ingest()
    instants = {r["transacted_at_utc"] for r in house.rows("raw.aa_transactions")}
    assert instants == {datetime(2026, 6, 5, 0, 30, tzinfo=UTC).replace(tzinfo=None)}
    assert len(house.rows("raw.aa_transactions")) == 5


def test_institutions_differ_and_are_read_alike(house: LandingHouse) -> None:
    document = deposit(1, [transaction(1, amount=12500, valueDate="2026-06-05T00:00:00+05:30")])
    document["account"]["profile"]["holders"]["holder"] = document["account"]["profile"]["holders"][
        "holder"
    ][0]
    document["account"]["summary"]["currentBalance"] = 47910.5
    lone = deposit(2)
    lone["account"]["transactions"]["transaction"] = transaction(1)
    summary_only = deposit(3)
    del summary_only["account"]["transactions"], summary_only["account"]["profile"]
    house.deliver("aa_consents", as_lines(consent(1), consent(2), consent(3)))
    house.deliver("aa_deposits", as_lines(document, lone, summary_only))
    house.ingest()
    assert house.rows("raw.rejected_rows") == []
    first, second, third = house.rows("raw.aa_accounts")
    assert str(first["current_balance"]) == str(second["current_balance"]) == "47910.50"
    assert first["holder_name_token"] and third["holder_name_token"] is None
    amounts = [(str(r["amount"]), str(r["value_date"])) for r in house.rows("raw.aa_transactions")]
    assert amounts == [("12500.00", "2026-06-05")] * 2
