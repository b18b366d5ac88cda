"""The description of connectors: what may stand in it, and what never shows."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from paymentor_assets.connections import ConnectorBook, PaymentsSource, read_secret
from paymentor_assets.ingestion.connectors.files import file_content
from paymentor_assets.ingestion.contracts.book import load_feeds
from resources.errors import ContractError, NotFound, SettingsError

SOUND: dict[str, object] = {
    "kind": "payments",
    "base_url": "https://api.processor.example/v1",
    "token_variable": "PROCESSOR_TOKEN",
}


def book(folder: Path, **connectors: object) -> ConnectorBook:
    (folder / "meridian").mkdir(exist_ok=True)
    path = folder / "meridian" / "connectors.yaml"
    path.write_text(yaml.safe_dump({"connectors": connectors}))
    return ConnectorBook(folder, {"PROCESSOR_TOKEN": "sk_1"})


def test_a_connector_is_read(tmp_path: Path) -> None:
    source = book(tmp_path, payments=SOUND).named("meridian", "payments")
    assert isinstance(source, PaymentsSource)
    assert (source.page_size, source.webhook_secret_variables) == (100, ())


def test_a_lender_may_have_none(tmp_path: Path) -> None:
    connectors = ConnectorBook(tmp_path, {})
    assert connectors.of("meridian") == {}
    with pytest.raises(NotFound, match="known ones: none"):
        connectors.named("meridian", "payments")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"base_url": "http://api.processor.example"}, "only https leaves this machine"),
        ({"base_url": "http://127.0.0.1.example.com"}, "only https"),
        ({"base_url": "ftp://localhost"}, "only https"),
        ({"base_url": "https://user:pass@api.example"}, "credentials"),
        ({"base_url": "https://api.example/?key=1"}, "scheme, host and path only"),
        ({"base_url": "api.example"}, "scheme, host and path only"),
        ({"token": "sk_1"}, "token"),
        ({"token_variable": "sk_live_1"}, "token_variable"),
        ({"webhook_secret_variables": ["A", "B", "C"]}, "webhook_secret_variables"),
        ({"page_size": 0}, "page_size"),
        ({"kind": "crypto"}, "kind"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: dict[str, object], said: str) -> None:
    with pytest.raises(ContractError, match=said) as caught:
        book(tmp_path, payments=SOUND | change).of("meridian")
    assert "connectors.yaml" in str(caught.value)


def test_a_file_that_is_no_yaml_is_named(tmp_path: Path) -> None:
    connectors = book(tmp_path, payments=SOUND)
    (tmp_path / "meridian" / "connectors.yaml").write_text("connectors: [")
    with pytest.raises(ContractError, match="is not YAML"):
        connectors.of("meridian")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost", "http://[::1]:80/x"])
def test_this_machine_may_be_asked_without_tls(tmp_path: Path, url: str) -> None:
    assert book(tmp_path, payments=SOUND | {"base_url": url}).of("meridian")


def test_a_secret_shows_only_its_variable() -> None:
    secret = read_secret("THE_TOKEN", {"THE_TOKEN": "sk_1"})
    assert (repr(secret), str(secret), secret.reveal()) == (
        "Secret(THE_TOKEN)",
        "Secret(THE_TOKEN)",
        "sk_1",
    )


@pytest.mark.parametrize("value", ["", "sk 1", "sk\r\nX: y", "sk\x00", "schlüssel"])
def test_a_secret_that_is_none_is_refused_unseen(value: str) -> None:
    with pytest.raises(SettingsError, match="THE_TOKEN") as caught:
        read_secret("THE_TOKEN", {"THE_TOKEN": value})
    assert not value or value not in str(caught.value)


def test_the_same_rows_are_the_same_bytes() -> None:
    feeds = load_feeds()
    row = {name: f'a,"{name}"' for name in feeds["payments"].header}
    backwards = dict(reversed(row.items()))
    content = file_content(feeds["payments"], [row])
    assert content == file_content(feeds["payments"], [backwards])
    assert content.startswith(b"payment_id,account_id,customer_id,value_date,")
    lines = file_content(feeds["aa_consents"], [{"b": "é", "a": 1}, {}])
    assert lines == b'{"a": 1, "b": "\\u00e9"}\n{}\n'
