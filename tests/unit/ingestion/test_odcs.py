"""Contracts as documents of the Open Data Contract Standard: read, written, refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from paymentor_assets.ingestion.contracts.book import FEEDS_DIR, load_feed, load_feeds
from paymentor_assets.ingestion.contracts.date_patterns import pattern_of, strptime_of
from paymentor_assets.ingestion.contracts.model import (
    ColumnContract,
    Encryption,
    FeedContract,
    RecordContract,
    RowRule,
)
from paymentor_assets.ingestion.contracts.odcs import read_contract
from paymentor_assets.ingestion.contracts.odcs_writing import write_contract
from resources.duck import connect
from resources.errors import ContractError

PAYMENTS = (FEEDS_DIR / "payments.yaml").read_text()
STANDARD = jsonschema.Draft201909Validator(
    json.loads(files("open_data_contract_standard").joinpath("schema.json").read_text())
)

Document = dict[str, Any]


def everything() -> FeedContract:
    """A contract that says all there is to say."""
    return FeedContract(
        feed="ledger",
        description="Everything: it's all here, déjà vu.",
        format="delimited",
        delimiter="\t",
        encoding="latin-1",
        compression="gzip",
        encryption=Encryption(type="openpgp", must_be_signed=False),
        naming="any",
        may_be_empty=True,
        min_rows=1,
        max_rows=10,
        max_rejected_share=0.07,
        max_age_days=3,
        records=(
            RecordContract(
                table="raw.ledger",
                description="Lines.",
                key=("phone_token", "booked_date"),
                business_date="booked_date",
                columns=(
                    ColumnContract(
                        name="booked_date", type="date", format="%d-%m-%Y", description="Day."
                    ),
                    ColumnContract(
                        name="phone",
                        delivered_as="PHONE NO",
                        type="text",
                        pii="phone",
                        region="IN",
                        pattern=r"\d{10}",
                        required=True,
                        description="Phone.",
                    ),
                    ColumnContract(
                        name="rate",
                        type="double",
                        above=Decimal("0.5"),
                        max=Decimal(7),
                        description="Rate.",
                    ),
                    ColumnContract(
                        name="seen_at_utc",
                        type="timestamp",
                        format="%d.%m.%Y %H:%M:%S",
                        not_after="delivery",
                        description="Instant.",
                    ),
                ),
                rules=(
                    RowRule(
                        reason_code="RATE_WITHOUT_DAY",
                        column="rate",
                        violated_when="rate > 1 AND booked_date IS NULL",
                        message="has no day",
                    ),
                ),
            ),
            RecordContract(
                table="raw.ledger_details",
                description="Details.",
                key=("code",),
                columns=(
                    ColumnContract(
                        name="code",
                        type="text",
                        enum=("NO", "1", "x y"),
                        paths=("$.a[0].b", "$.c"),
                        of="parent",
                        values="list",
                        description="Code.",
                    ),
                    ColumnContract(
                        name="category",
                        type="text",
                        derived="narration_category",
                        description="Category.",
                    ),
                    ColumnContract(name="day", type="local_date", description="Day."),
                    ColumnContract(
                        name="count", type="integer", min=Decimal(-1), description="Count."
                    ),
                    ColumnContract(name="is_open", type="boolean", description="Open?"),
                ),
            ),
        ),
    )


@pytest.mark.parametrize("contract", [*load_feeds().values(), everything()], ids=lambda c: c.feed)
def test_what_is_written_is_read_again_and_fits_the_standard(contract: FeedContract) -> None:
    for lender_id in (None, "first_bank"):
        written = write_contract(contract, lender_id=lender_id)
        again = read_contract(written, "here")
        assert again == contract
        assert again.contract_version == contract.contract_version
        assert not [e.message for e in STANDARD.iter_errors(yaml.safe_load(written))]


@pytest.mark.parametrize("path", sorted(FEEDS_DIR.glob("*.yaml")), ids=lambda p: p.stem)
def test_the_platforms_documents_fit_the_standard(path: Path) -> None:
    assert not [e.message for e in STANDARD.iter_errors(yaml.safe_load(path.read_text()))]


def test_the_bounds_of_a_file_are_read_however_they_are_said() -> None:
    for low, high in ((3, 3), (None, 9), (2, None), (0, 9)):
        contract = everything().model_copy(update={"min_rows": low, "max_rows": high})
        assert read_contract(write_contract(contract), "here") == contract


def test_a_change_of_content_is_a_new_version(tmp_path: Path) -> None:
    same, other = tmp_path / "a" / "payments.yaml", tmp_path / "b" / "payments.yaml"
    for path, text in ((same, "# a remark\n" + PAYMENTS), (other, PAYMENTS.replace("upi", "UPI"))):
        path.parent.mkdir()
        path.write_text(text)
    version = load_feeds()["payments"].contract_version
    assert load_feed(same).contract_version == version
    assert load_feed(other).contract_version != version


def column(document: Document, name: str) -> Document:
    """One property of the first schema."""
    found: Document = next(p for p in document["schema"][0]["properties"] if p["name"] == name)
    return found


FAULTS: list[tuple[Callable[[Document], object], str]] = [
    (lambda d: d.update(name="other"), "names feed 'other'"),
    (lambda d: d.update(colour="red"), "colour"),
    (lambda d: d.update(apiVersion="v2.2.0"), "'v2.2.0' is not v3.2.0"),
    (lambda d: d.update(status="draft"), "'draft' is not active"),
    (lambda d: d.update(schema=[]), "schema: "),
    (lambda d: d.pop("version"), "requires id and version"),
    (lambda d: d.update(servers=[]), "0 are given"),
    (lambda d: d["servers"][0].update(format="xml"), "format: "),
    (lambda d: d["servers"][0].update(encoding="EBCDIC"), "'EBCDIC' is not UTF-8"),
    (lambda d: d.update(slaProperties=[{"property": "uptime", "value": 9}]), "is not latency"),
    (lambda d: column(d, "amount").update(logicalType="money"), "property amount: logicalType"),
    (lambda d: column(d, "amount").pop("physicalType"), "property amount: logicalType number"),
    (lambda d: column(d, "amount").pop("description"), "property amount, description"),
    (lambda d: column(d, "amount").update(requird=True), "property amount: 'requird'"),
    (lambda d: column(d, "amount").update(unique=True), "property amount: 'unique'"),
    (lambda d: column(d, "amount").update(logicalTypeOptions={"pattern": "x"}), "'pattern'"),
    (lambda d: column(d, "method").update(logicalTypeOptions={"pattern": "["}), "a pattern"),
    (lambda d: column(d, "method").update(enum=[{"value": False}]), "False is not text"),
    (lambda d: column(d, "method").update(enum=[]), "allows no value"),
    (lambda d: column(d, "method").update(classification="pii"), "'pii' is not personal"),
    (lambda d: column(d, "method").update(classification="personal"), "exactly one of the tags"),
    (lambda d: column(d, "method").update(tags=["phone"]), "needs classification personal"),
    (
        lambda d: column(d, "amount").update(classification="personal", tags=["phone"]),
        "personal data is text",
    ),
    (lambda d: column(d, "amount").update(primaryKey=True), "numbered 1 to 2"),
    (
        lambda d: column(d, "value_date").update(logicalTypeOptions={"format": "dd-QQ"}),
        "'QQ' is none of",
    ),
    (
        lambda d: column(d, "amount").update(
            customProperties=[{"property": "notAfter", "value": "delivery"}]
        ),
        "not_after applies to dates",
    ),
    (
        lambda d: d["schema"][0].update(quality=[{"metric": "nullValues", "mustBe": 0}]),
        "metric rowCount, or has engine",
    ),
    (
        lambda d: d.update(customProperties=[{"property": "speed", "value": 1}]),
        "'speed' stands twice or is none of",
    ),
]


@pytest.mark.parametrize(("spoil", "words"), FAULTS, ids=[words for _, words in FAULTS])
def test_a_fault_is_named_with_its_place(
    tmp_path: Path, spoil: Callable[[Document], object], words: str
) -> None:
    document = yaml.safe_load(PAYMENTS)
    spoil(document)
    path = tmp_path / "payments.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(ContractError) as refused:
        load_feed(path)
    assert words in str(refused.value)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a mapping"),
        (b"- a", "not a mapping"),
        (b"a: [", "not YAML"),
        (b"kind: a\nkind: b", "'kind' stands twice"),
        (b"version: 2026-13-45", "not YAML"),
        (b"\xff\xfe", "cannot be read"),
        (b"name: &a [*a]", "name"),
    ],
)
def test_what_is_no_document_at_all_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "payments.yaml"
    path.write_bytes(content)
    with pytest.raises(ContractError, match=words):
        load_feed(path)


def places(content: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document but the whole."""
    steps: Any = ()
    if isinstance(content, dict | list):
        steps = content.items() if isinstance(content, dict) else enumerate(content)
    inner = [place for step, value in steps for place in places(value, (*at, step))]
    return [at, *inner] if at else inner


WORDS = st.sampled_from(
    [
        "name",
        "required",
        "enum",
        "quality",
        "implementation",
        "phone",
        "personal",
        "[",
        "%",
        "",
        "a",
    ]
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), WORDS)
ANYTHING = st.recursive(
    SCALARS, lambda s: st.lists(s, max_size=3) | st.dictionaries(WORDS, s, max_size=3), max_leaves=5
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_mutilated_document_is_a_contract_or_a_sentence(data: st.DataObject) -> None:
    document = yaml.safe_load(data.draw(st.sampled_from([PAYMENTS, write_contract(everything())])))
    for _ in range(data.draw(st.integers(1, 3))):
        spoiled = copy.deepcopy(document)
        *way, last = data.draw(st.sampled_from(places(spoiled)))
        holder = spoiled
        for step in way:
            holder = holder[step]
        match data.draw(st.sampled_from(["drop", "replace", "add"])):
            case "drop":
                del holder[last]
            case "replace":
                holder[last] = data.draw(ANYTHING)
            case _ if isinstance(holder, dict):
                holder[data.draw(WORDS | st.integers())] = data.draw(ANYTHING)
        if spoiled and places(spoiled):
            document = spoiled
    text = yaml.safe_dump(document, allow_unicode=True)
    try:
        contract = read_contract(text, "ledger.yaml")
    except ContractError as refused:
        assert str(refused).startswith("ledger.yaml ")
        assert len(str(refused)) > len("ledger.yaml is not a feed contract: .")
    else:
        assert isinstance(contract, FeedContract)


@pytest.mark.parametrize(
    ("pattern", "strptime"),
    [
        ("dd-MM-yyyy", "%d-%m-%Y"),
        ("yyyy-MM-dd'T'HH:mm:ssXX", "%Y-%m-%dT%H:%M:%S%z"),
        ("d MMM yy hh:mm a", "%-d %b %y %I:%M %p"),
        ("''HH'o''clock'", "'%Ho'clock"),
        ("yyyyDDD 100%", "%Y%j 100%%"),
    ],
)
def test_a_date_form_in_both_languages(pattern: str, strptime: str) -> None:
    assert strptime_of(pattern) == strptime
    assert strptime_of(pattern_of(strptime)) == strptime


@pytest.mark.parametrize("pattern", ["", "QQ", "dd'open", "yyy"])
def test_a_date_form_without_meaning_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="format"):
        strptime_of(pattern)


def test_duckdb_reads_every_date_form_that_is_accepted() -> None:
    written = "2026 26 July Jul 07 7 05 5 186 17 17 05 5 09 30 123456 PM +0000"
    pattern = "yyyy yy MMMM MMM MM M dd d DDD HH H hh h mm ss SSSSSS a XX"
    with connect() as con:
        [[read]] = con.execute("SELECT strptime(?, ?)", [written, strptime_of(pattern)]).fetchall()
        assert read == datetime(2026, 7, 5, 17, 9, 30, 123456, UTC)
