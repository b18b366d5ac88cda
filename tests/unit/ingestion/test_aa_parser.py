"""Account Aggregator data in all its forms lands in the same columns; hostile input in none."""

from __future__ import annotations

import base64
import json
import tracemalloc
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree

from paymentor_assets.ingestion.aa_crypto import encrypt
from paymentor_assets.ingestion.contracts.book import load_feeds
from paymentor_assets.ingestion.parsers import aa_accounts, aa_xml
from paymentor_assets.ingestion.parsers.aa_accounts import AaAccounts
from paymentor_assets.ingestion.parsers.interface import Source
from paymentor_assets.ingestion.parsers.paths import steps_of
from resources.errors import NotFound, RejectedFile
from tests.support.aa_documents import as_json, as_xml, envelope, transaction, v1
from tests.support.parsing import Parsed, parse


def read(*files: bytes, keys: Any = None) -> Parsed:
    return parse(AaAccounts(load_feeds()["aa_deposits"], keys), *files, records=2)


def facts(parsed: Parsed) -> list[list[dict[str, Any]]]:
    places = {"file_index", "fault_column", "column_count"}
    return [
        [{k: v for k, v in row.items() if k not in places} for row in parsed.rows[record]]
        for record in (0, 1)
    ]


def refused(content: bytes) -> str:
    with pytest.raises(RejectedFile) as refusal:
        read(content)
    assert "file_0" in str(refusal.value)
    return refusal.value.reason_code


def test_json_and_xml_of_an_account_are_the_same_rows() -> None:
    accounts = [envelope(1), envelope(2, transactions=[]), envelope(3, transactions=3)]
    from_json, from_xml = facts(read(as_json(*accounts))), facts(read(as_xml(*accounts)))
    assert from_json == from_xml
    assert [row["row_number"] for row in from_json[0]] == [1, 4, 5]
    assert [(r["line_number"], r["row_number"]) for r in from_json[1]] == [
        (1, 2), (1, 3), (5, 6), (5, 7), (5, 8),
    ]  # fmt: skip


@pytest.mark.parametrize("write", [as_json, as_xml])
def test_both_versions_land_in_the_same_columns(write: Any) -> None:
    parsed = read(write(envelope(1), v1(envelope(1))))
    new, old = parsed.rows[0]
    assert (new["schema_version"], old["schema_version"]) == ("2.0.0", "1.2")
    changed = {k for k in new if new[k] != old[k]}
    # v1 knows the sub-type only.
    assert changed == {"row_number", "line_number", "schema_version", "account_type"}
    assert old["account_sub_type"] == "SAVINGS" and old["ifsc"] == "EXMP0000001"
    first, _, again, _ = parsed.rows[1]
    assert {k for k in first if first[k] != again[k]} == {"row_number", "line_number"}


@pytest.mark.parametrize("kind", ["term_deposit", "RECURRING-DEPOSIT"])
def test_term_deposits_have_their_summary(kind: str) -> None:
    document = envelope(1, transactions=1)
    document["account"]["type"] = kind
    document["account"]["summary"] = {
        "accountType": "FIXED",
        "currentValue": 119845.9,
        "principalAmount": "100000",
        "recurringAmount": "2500.00",
        "maturityAmount": "130000.00",
        "maturityDate": "2028-01-31",
        "interestRate": "7.5",
        "interestPayout": "QUARTERLY",
        "interestComputation": "COMPOUND",
        "compoundingFrequency": "HALF-YEARLY",
        "tenureDays": "0",
        "tenureMonths": 6,
        "tenureYears": "2",
        "ifsc": "EXMP0000001",
    }
    for content in (as_json(document), as_xml(document)):
        (row,) = read(content).rows[0]
        assert row["fi_type"] == kind.upper().replace("-", "_")
        assert row["current_balance"] == "119845.9" and row["tenure_months"] == "6"
        assert row["principal_amount"] == "100000" and row["maturity_date"] == "2028-01-31"
        assert row["interest_rate_percent"] == "7.5" and row["currency"] is None


@pytest.mark.parametrize("version", ["3.0", "2.1.0", "", "1.2; x", 2, None, ["2.0.0"]])
def test_an_unknown_version_is_a_rejected_row(version: object) -> None:
    document = envelope(1)
    document["account"]["version"] = version
    (row,) = read(as_json(document)).rows[0]
    assert (row["parse_error"], row["fault_column"]) == ("UNKNOWN_VERSION", "schema_version")
    assert len(read(as_json(document)).rows[1]) == 2


def test_institutions_differ_and_are_read_alike() -> None:
    plain, other = envelope(1), envelope(1)
    other["account"]["profile"]["holders"]["holder"] = other["account"]["profile"]["holders"][
        "holder"
    ][0]
    other["account"]["summary"]["currentBalance"] = 47910.5
    other["linkRefNumber"] = ""
    first, second = other["account"]["transactions"]["transaction"]
    first["transactionTimeStamp"] = first.pop("transactionTimestamp")
    second["transactionDateTime"] = second.pop("transactionTimestamp")
    first["amount"] = 12500
    first["narration"] = "  padded  "
    (left,), (right,) = read(as_json(plain)).rows[0], read(as_json(other)).rows[0]
    assert {k for k in left if left[k] != right[k]} == {"current_balance"}
    one, two = read(as_json(other)).rows[1]
    assert one["transacted_at_utc"] == two["transacted_at_utc"] == "2026-06-05T06:00:00+05:30"
    assert (one["amount"], one["narration"]) == ("12500", "padded")


@pytest.mark.parametrize(
    ("line", "errors"),
    [
        (b"{oops", ["BAD_JSON"]),
        (b"[1, 2]", ["BAD_JSON"]),
        (b'"text"', ["BAD_JSON"]),
        (b'{"a": "\xff"}', ["NOT_UTF8"]),
        (b"{}", ["UNKNOWN_VERSION"]),
        (b'{"account": []}', ["UNKNOWN_VERSION"]),
        (b'{"account": {"version": "2.0.0", "transactions": {"transaction": 7}}}', [None]),
    ],
)
def test_a_bad_line_is_one_row_with_its_bytes(line: bytes, errors: list[str | None]) -> None:
    parsed = read(line + b"\n" + as_json(envelope(1)))
    assert [row["parse_error"] for row in parsed.rows[0]] == [*errors, None]
    assert parsed.originals[0][0, 1] == line


def test_the_original_of_a_transaction_is_its_own_piece() -> None:
    document = envelope(1, transactions=1)
    document["account"]["transactions"]["transaction"] += [None, 3]
    parsed = read(as_json(document))
    assert [row["parse_error"] for row in parsed.rows[1]] == [None, "BAD_JSON", "BAD_JSON"]
    assert [parsed.originals[1][0, n] for n in (3, 4)] == [b"null", b"3"]
    assert json.loads(parsed.originals[1][0, 2])["txnId"] == "T1-1"
    quoted = transaction(1, 1) | {"narration": "a > b 'c' \"d\" & <e>"}
    parsed = read(as_xml(envelope(1, transactions=[quoted, transaction(1, 2)])))
    first, second = (etree.fromstring(parsed.originals[1][0, n]) for n in (2, 3))
    assert first.get("narration") == quoted["narration"] and second.get("txnId") == "T1-2"


def test_an_account_malformed_in_a_well_formed_file_is_a_row() -> None:
    document = as_xml(envelope(1)).replace(
        b"</FIData>", b'<junk/><FI consentId="c"/><FI><Account/><Account/></FI></FIData>'
    )
    parsed = read(document)
    assert [row["parse_error"] for row in parsed.rows[0]] == [None, "BAD_XML", "BAD_XML", "BAD_XML"]
    assert parsed.originals[0][0, 4] == b"<junk/>"
    assert [row["row_number"] for row in parsed.rows[0]] == [1, 4, 5, 6]


def test_xml_may_have_prefixes_comments_and_a_byte_order_mark() -> None:
    content = as_xml(envelope(1), envelope(2))
    noisy = b"\xef\xbb\xbf" + content.replace(b"<FIData", b"<!-- </FI> -->\n<FIData").replace(
        b"<Account", b"<!-- </FI> --><Account"
    )
    assert facts(read(noisy)) == facts(read(content))
    prefixed = content.replace(b"<FI ", b"<f:FI ").replace(b"</FI>", b"</f:FI>")
    prefixed = prefixed.replace(b"<FIData>", b'<f:FIData xmlns:f="urn:x">')
    prefixed = prefixed.replace(b"</FIData>", b"</f:FIData>")
    assert facts(read(prefixed)) == facts(read(content))


BOMB = b"".join(
    b'<!ENTITY e%d "%s">' % (i, b"&e%d;" % (i - 1) * 10 if i else b"ha") for i in range(12)
)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"<!DOCTYPE FIData [" + BOMB + b"]><FIData>&e11;</FIData>", "XML_ENTITIES_REFUSED"),
        (
            b'<!DOCTYPE FIData [<!ENTITY x SYSTEM "file:///etc/passwd">]><FIData>&x;</FIData>',
            "XML_ENTITIES_REFUSED",
        ),
        (b'<!DOCTYPE FIData SYSTEM "http://x.example/x.dtd"><FIData/>', "XML_ENTITIES_REFUSED"),
        (b"<?xml version='1.0'?><!-- a --><!DOCTYPE FIData><FIData/>", "XML_ENTITIES_REFUSED"),
        (b'<Account version="1.2"/>', "NO_ENVELOPE"),
        (b"<html><body/></html>", "NO_ENVELOPE"),
        (b"<FIData><FI></FIX></FIData>", "UNREADABLE"),
        (b"<FIData>&unknown;</FIData>", "UNREADABLE"),
        (b"<FIData/><FIData/>", "UNREADABLE"),
        (b"<", "UNREADABLE"),
        (b"<!-- " * 30_000, "UNREADABLE"),
        (b"<?a?>" * 30_000, "UNREADABLE"),
        (b"<FIData><FI>" + b"<a>" * 300 + b"</FI></FIData>", "UNREADABLE"),
        ("<?xml version='1.0'?><FIData/>".encode("utf-16"), "TRUNCATED_FILE"),
    ],
)
def test_a_hostile_or_broken_file_is_refused(content: bytes, code: str) -> None:
    assert refused(content) == code


def test_a_cut_file_is_refused() -> None:
    content = as_xml(envelope(1), envelope(2))
    for cut in range(len(content) // 2, len(content) - 12, 97):
        assert refused(content[:cut]) == "TRUNCATED_FILE"
    assert refused(as_json(envelope(1), envelope(2))[:-40]) == "TRUNCATED_FILE"


def test_an_account_beyond_the_cap_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aa_xml, "MAX_ACCOUNT_BYTES", 10_000)
    assert len(read(as_xml(*[envelope(i) for i in range(40)])).rows[0]) == 40
    assert refused(as_xml(envelope(1, transactions=2_000))) == "RECORD_TOO_LONG"
    assert refused(b"<FIData>" + b"<junk/>" * 100_000 + b"</FIData>") == "RECORD_TOO_LONG"


@pytest.mark.parametrize("write", [as_json, as_xml])
def test_rows_go_on_through_the_batches_of_a_file(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = write(*[envelope(i, transactions=i % 4) for i in range(60)])
    whole = facts(read(content))
    monkeypatch.setattr(aa_accounts, "_BATCH_ROWS", 7)
    monkeypatch.setattr(aa_accounts, "_GROUP_ROWS", 3)
    assert facts(read(content)) == whole
    assert sorted(r["row_number"] for rows in whole for r in rows) == list(range(1, 151))


def test_memory_is_that_of_a_batch_whatever_the_file(tmp_path: Path) -> None:
    peaks = []
    for accounts in (60, 240):
        content = as_xml(*[envelope(i, transactions=100) for i in range(accounts)])
        tracemalloc.start()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(aa_accounts, "_BATCH_ROWS", 1_000)
            parser = AaAccounts(load_feeds()["aa_deposits"])
            for _ in parser.read(Source(BytesIO(content), 0, "big", tmp_path)):
                pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


class Ring:
    """The lender's key of one fetch."""

    key = X25519PrivateKey.generate()

    def private_key(self, nonce: bytes) -> X25519PrivateKey:
        if nonce != bytes(32):
            raise NotFound("none")
        return self.key


def sealed(document: dict[str, Any], plain: bytes, **changes: Any) -> dict[str, Any]:
    theirs, nonce = X25519PrivateKey.generate(), bytes([7]) * 32
    pem = theirs.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    outer = {k: v for k, v in document.items() if k != "account"}
    text = encrypt(plain, theirs, Ring.key.public_key(), nonce, bytes(32))
    return (
        outer
        | {
            "ourNonce": base64.b64encode(bytes(32)).decode(),
            "encryptedFI": base64.b64encode(text).decode(),
            "KeyMaterial": {
                "curve": "X25519",
                "DHPublicKey": {"expiry": "2026-07-02T00:00:00Z", "KeyValue": pem.decode()},
                "Nonce": base64.b64encode(nonce).decode(),
            },
        }
        | changes
    )


def test_encrypted_accounts_are_the_same_rows() -> None:
    document = envelope(1)
    bare = json.dumps({"account": document["account"]}).encode()
    xml = as_xml(document)
    element = xml[xml.index(b"<Account") : xml.index(b"</FI>")]
    lines = as_json(document, sealed(document, bare), sealed(document, element))
    accounts, transactions = facts(read(lines, keys=Ring()))
    plain, *opened = [
        {k: v for k, v in r.items() if not k.endswith("_number") or k == "link_ref_number"}
        for r in accounts
    ]
    assert opened == [plain, plain]
    assert len(transactions) == 6


@pytest.mark.parametrize(
    ("plain", "code"),
    [
        (b"SECRET", "DECRYPTION_FAILED"),
        (b"[]", "DECRYPTION_FAILED"),
        (b"<a>SECRET", "DECRYPTION_FAILED"),
        (b"<a>SECRET</a>", "DECRYPTION_FAILED"),
        (b'<!DOCTYPE a [<!ENTITY b "SECRET">]><Account/>', "DECRYPTION_FAILED"),
        (b'{"version": "9"}', "UNKNOWN_VERSION"),
    ],
)
def test_what_is_no_account_inside_is_rejected_without_a_word_of_it(
    plain: bytes, code: str
) -> None:
    parsed = read(as_json(sealed(envelope(1), plain)), keys=Ring())
    (row,) = parsed.rows[0]
    assert row["parse_error"] == code
    assert b"SECRET" not in parsed.originals[0][0, 1]
    assert "SECRET" not in str(row)


def test_a_payload_without_its_key_is_rejected() -> None:
    line = as_json(sealed(envelope(1), b"{}", ourNonce=base64.b64encode(b"x" * 32).decode()))
    assert [r["parse_error"] for r in read(line, keys=Ring()).rows[0]] == ["DECRYPTION_FAILED"]
    assert [r["parse_error"] for r in read(line).rows[0]] == ["DECRYPTION_FAILED"]


@pytest.mark.parametrize("path", ["a.b", "$", "$.a.*", "$..a", "$.a[x]", "$['a']"])
def test_a_path_that_cannot_be_walked_is_a_fault_of_the_contract(path: str) -> None:
    with pytest.raises(ValueError, match="not a path"):
        steps_of(path)


def test_paths_are_members_and_positions() -> None:
    assert steps_of("$.a.b[0].c") == ("a", "b", 0, "c")
