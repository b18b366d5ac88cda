"""A lender's own contracts: what they may change, and what stays the platform's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from paymentor_assets.ingestion.contracts.book import ContractBook, load_feeds
from paymentor_assets.ingestion.contracts.example import example_file
from paymentor_assets.ingestion.contracts.odcs_writing import write_contract
from paymentor_assets.ingestion.contracts.trial import untenable
from resources.errors import ContractError

Document = dict[str, Any]
PIPE = [{"property": "delimiter", "value": "|"}]


def book(folder: Path, feed: str, change: Callable[[Document], object]) -> ContractBook:
    """A book in which the lender `bank` has its own contract for a feed."""
    document = yaml.safe_load(write_contract(load_feeds()[feed], lender_id="bank"))
    change(document)
    path = folder / "bank" / f"{feed}.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return ContractBook(folder)


def columns(document: Document) -> list[Document]:
    found: list[Document] = document["schema"][0]["properties"]
    return found


def column(document: Document, name: str) -> Document:
    return next(c for c in columns(document) if c["name"] == name)


def drop(document: Document, name: str) -> None:
    columns(document).remove(column(document, name))


def test_without_contracts_of_its_own_a_lender_is_held_to_the_platforms(tmp_path: Path) -> None:
    assert ContractBook(tmp_path).feeds("bank") == load_feeds()
    assert ContractBook(tmp_path).own("bank") == {}


def test_a_lender_renames_reorders_and_tightens(tmp_path: Path) -> None:
    def change(document: Document) -> None:
        document["servers"][0].update(encoding="ISO-8859-1", customProperties=PIPE)
        column(document, "amount").update(
            physicalName="AMT", logicalTypeOptions={"minimum": 1, "maximum": 500}
        )
        column(document, "status")["enum"] = [{"value": "success"}]
        column(document, "value_date")["logicalTypeOptions"] = {"format": "dd-MM-yyyy"}
        columns(document).reverse()

    feeds = book(tmp_path, "payments", change).feeds("bank")
    payments = feeds["payments"]
    assert payments.header[0] == "status"
    assert "AMT" in payments.header
    assert payments.contract_version != load_feeds()["payments"].contract_version
    assert {f: c for f, c in feeds.items() if f != "payments"} == {
        f: c for f, c in load_feeds().items() if f != "payments"
    }


def test_a_contract_changed_on_disk_is_read_again(tmp_path: Path) -> None:
    contracts = book(tmp_path, "payments", lambda d: column(d, "amount").update(physicalName="A"))
    assert "A" in contracts.feeds("bank")["payments"].header
    contracts.own("bank")["payments"].unlink()
    assert contracts.feeds("bank") == load_feeds()


def test_optional_columns_may_be_left_out(tmp_path: Path) -> None:
    contracts = book(tmp_path, "portfolio", lambda d: drop(d, "declared_monthly_income"))
    assert "declared_monthly_income" not in contracts.feeds("bank")["portfolio"].header


FAULTS: list[tuple[str, Callable[[Document], object], str]] = [
    ("portfolio", lambda d: drop(d, "city"), "property city: it is missing"),
    ("portfolio", lambda d: drop(d, "snapshot_date"), "snapshot_date"),
    (
        "portfolio",
        lambda d: (column(d, "email").pop("classification"), column(d, "email").pop("tags")),
        "property email: it is declared plain, .* says personal data \\(email\\)",
    ),
    (
        "portfolio",
        lambda d: column(d, "phone").update(tags=["national_id"]),
        "property phone: it is declared personal data \\(national_id\\)",
    ),
    ("portfolio", lambda d: column(d, "city").pop("required"), "property city: .*required: true"),
    (
        "payments",
        lambda d: columns(d).append(
            {"name": "branch", "description": "Branch.", "logicalType": "string"}
        ),
        "property branch: the table has no such column",
    ),
    (
        "payments",
        lambda d: column(d, "amount").update(physicalType="double"),
        "property amount: its type is double",
    ),
    (
        "payments",
        lambda d: column(d, "method")["enum"].append({"value": "barter"}),
        "property method: enum may only narrow",
    ),
    ("payments", lambda d: column(d, "method").pop("enum"), "enum may only narrow"),
    (
        "payments",
        lambda d: column(d, "amount").update(logicalTypeOptions={"minimum": 0}),
        "property amount: its lower bound",
    ),
    (
        "portfolio",
        lambda d: column(d, "annual_rate").update(logicalTypeOptions={"minimum": 0}),
        "property annual_rate: its upper bound",
    ),
    (
        "payments",
        lambda d: column(d, "value_date").pop("customProperties"),
        "property value_date: notAfter must stay",
    ),
    (
        "payments",
        lambda d: column(d, "account_id").update(primaryKey=True, primaryKeyPosition=2),
        "primaryKey: it is payment_id, account_id",
    ),
    (
        "portfolio",
        lambda d: d["schema"][0].pop("customProperties"),
        "businessDate: it is None instead of snapshot_date",
    ),
    ("payments", lambda d: d["schema"][0].update(name="raw.paid"), "it fills raw.paid instead"),
    ("aa_deposits", lambda d: d["schema"].pop(), "instead of raw.aa_accounts, raw.aa_transac"),
    (
        "aa_deposits",
        lambda d: d["schema"][1]["properties"].remove(
            next(c for c in d["schema"][1]["properties"] if c["name"] == "narration")
        ),
        "property narration: it is missing, and another column",
    ),
]


@pytest.mark.parametrize(("feed", "change", "words"), FAULTS, ids=[words for *_, words in FAULTS])
def test_what_is_stored_and_what_is_personal_stays_the_platforms(
    tmp_path: Path, feed: str, change: Callable[[Document], object], words: str
) -> None:
    contracts = book(tmp_path, feed, change)
    with pytest.raises(ContractError, match=words) as refused:
        contracts.feeds("bank")
    assert f"{feed}.yaml" in str(refused.value)


def test_a_contract_for_a_feed_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    contracts = book(tmp_path, "payments", lambda d: d.update(name="gifts"))
    path = contracts.own("bank")["payments"]
    path.rename(path.with_name("gifts.yaml"))
    with pytest.raises(ContractError, match="no feed 'gifts'"):
        contracts.feeds("bank")


def test_an_example_is_written_as_the_contract_says(tmp_path: Path) -> None:
    def change(document: Document) -> None:
        document["servers"][0].update(encoding="UTF-16", customProperties=PIPE)
        column(document, "value_date").update(
            physicalName="DAY", logicalTypeOptions={"format": "dd-MM-yyyy"}
        )

    contract = book(tmp_path, "payments", change).feeds("bank")["payments"]
    header, first, _ = example_file(contract, date(2026, 6, 30)).decode("utf-16").splitlines()
    assert header.split("|")[3] == "DAY"
    assert first.split("|")[3] == "29-06-2026"


def rule(condition: str) -> Callable[[Document], object]:
    """A change that adds a condition of column amount."""
    check = {
        "type": "custom",
        "name": "ODD_AMOUNT",
        "description": "is odd",
        "engine": "paymentor",
        "implementation": {"column": "amount", "violatedWhen": condition},
    }
    return lambda document: document["schema"][0].setdefault("quality", []).append(check)


@pytest.mark.parametrize("pattern", ["(?=A)A.*", "A{1,9999}"])
def test_a_pattern_that_duckdb_cannot_read_is_refused_when_it_is_loaded(
    tmp_path: Path, pattern: str
) -> None:
    def change(document: Document) -> None:
        column(document, "account_id")["logicalTypeOptions"] = {"pattern": pattern}

    with pytest.raises(ContractError) as caught:
        book(tmp_path, "payments", change).feeds("bank")
    said = str(caught.value)
    assert "lender bank" in said and "feed payments: raw.payments, property account_id" in said
    assert "cannot be read" in said


CONDITIONS = {
    "syntax": ("amount >", "syntax error"),
    "unknown column": ("amout > 1", '"amout" not found'),
    "not a condition": ("amount", "is no condition: it is a DECIMAL"),
    "aggregate": ("sum(amount) > 1", "GROUP BY"),
    "another type": ("value_date > 'yesterday'", "Conversion Error"),
    "regex in it": ("regexp_matches(status, '(')", "missing )"),
    "more than one": ("1 = 1); DROP TABLE files; SELECT (1 = 1", "more than one statement"),
    "another clause": ("TRUE THEN 1 END, CASE WHEN FALSE", "syntax error"),
    "a file": ("(SELECT count(*) FROM read_csv('/etc/passwd')) > 1", "disabled"),
    "a key": ("GetVariable ('inner_name') IS NULL", "reads the session, where keys are"),
    "keys": ("EXISTS (FROM duckdb_variables())", "reads the session, where keys are"),
}


@pytest.mark.parametrize(("condition", "fault"), CONDITIONS.values(), ids=CONDITIONS)
def test_a_condition_that_duckdb_cannot_read_is_refused_when_it_is_loaded(
    tmp_path: Path, condition: str, fault: str
) -> None:
    with pytest.raises(ContractError) as caught:
        book(tmp_path, "payments", rule(condition)).feeds("bank")
    said = str(caught.value)
    assert "lender bank" in said and "quality ODD_AMOUNT of column amount" in said
    assert fault in said


@pytest.mark.parametrize(
    "condition",
    ["amount > 1 AND value_date IS NULL", "amount::BIGINT % 2 = 1", "paid_at_utc > value_date"],
)
def test_a_condition_over_any_columns_is_taken(tmp_path: Path, condition: str) -> None:
    feeds = book(tmp_path, "payments", rule(condition)).feeds("bank")
    assert condition in {r.violated_when for r in feeds["payments"].records[0].rules}


def test_a_condition_may_look_at_the_token_of_personal_data(tmp_path: Path) -> None:
    check = {
        "type": "custom",
        "name": "SAME_NAME",
        "description": "is somebody else's",
        "engine": "paymentor",
        "implementation": {"column": "email", "violatedWhen": "email = full_name_token"},
    }
    contracts = book(
        tmp_path,
        "portfolio",
        lambda document: document["schema"][0].setdefault("quality", []).append(check),
    )
    assert contracts.feeds("bank")["portfolio"].records[0].rules[-1].reason_code == "SAME_NAME"


def test_every_contract_of_the_platform_can_be_held_to() -> None:
    assert {fault for contract in load_feeds().values() for fault in untenable(contract)} == set()
