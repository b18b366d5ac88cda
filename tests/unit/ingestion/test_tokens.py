"""Tokens made in SQL are those that Python's hmac makes."""

from __future__ import annotations

import hmac
from hashlib import sha256

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paymentor_assets.ingestion.contracts.book import load_feeds
from paymentor_assets.ingestion.tokens import canonical, define_macros, token_of
from resources.duck import connect
from resources.vault import Vault

VAULT = Vault(
    "sqlite://", vault_key=lambda: b"v" * 64, token_key=lambda: b"t" * 64, on_reveal=lambda _: None
)
PORTFOLIO = load_feeds()["portfolio"]
COLUMNS = {"name": "full_name", "phone": "phone", "email": "email", "national_id": "national_id"}
#: Latin and Indic letters, as names have them; simple case mapping only.
TEXT = st.text(st.sampled_from("aZé Ññ\tßऋத-.'@+09ŞıÅ"), min_size=1, max_size=12)


def tokens_in_sql(values: dict[str, list[str]]) -> dict[str, dict[str, str | None]]:
    with connect(threads=1) as con:
        con.register("given", pa.table(values))
        define_macros(con, PORTFOLIO, VAULT, "meridian")
        return {
            kind: dict(
                con.execute(f"SELECT {column}, token_{kind}({column}) FROM given").fetchall()
            )
            for kind, column in COLUMNS.items()
        }


@settings(max_examples=25, deadline=None)
@given(texts=st.lists(TEXT, min_size=1, max_size=20))
def test_sql_and_python_agree(texts: list[str]) -> None:
    found = tokens_in_sql(dict.fromkeys(COLUMNS.values(), texts))
    for kind in COLUMNS:
        for text in texts:
            expected = token_of(VAULT, "meridian", kind, text)
            is_blank = not canonical(kind, text)
            assert found[kind][text] == (None if is_blank else expected), (kind, text)


def test_a_token_is_a_keyed_hash_with_its_kind_and_key_id() -> None:
    digest = hmac.new(VAULT.token_key("meridian", "phone"), b"+919876543210", sha256).hexdigest()
    assert token_of(VAULT, "meridian", "phone", "+91 98765-43210") == f"ph1_{digest[:32]}"


@pytest.mark.parametrize(
    ("kind", "spellings"),
    [
        ("name", ["Asha  Devi", "ASHA DEVI", " asha\tdevi "]),
        ("email", ["Asha@Example.com", "asha@example.com "]),
        ("national_id", ["aaapz 0000a", "AAAPZ0000A", "AAAPZ-0000-A"]),
        ("account_number", ["ln-01", " LN-01"]),
        ("address", ["1 Example  Road", "1 EXAMPLE ROAD "]),
    ],
)
def test_spellings_meet(kind: str, spellings: list[str]) -> None:
    assert len({canonical(kind, s) for s in spellings}) == 1  # type: ignore[arg-type]


def test_account_numbers_that_differ_by_a_dash_stay_apart() -> None:
    assert canonical("account_number", "LN-011") != canonical("account_number", "LN-01-1")


def test_a_local_number_needs_its_country() -> None:
    assert canonical("phone", "98765 43210", "IN") == "+919876543210"
    assert canonical("phone", "(415) 555-0100", "US") == "+14155550100"
    assert canonical("phone", "98765") == "98765"
