"""A sealed file through the whole of an ingestion: opened in the scratch, and nowhere else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from paymentor_assets.ingestion.contracts.book import ContractBook, load_feeds
from paymentor_assets.ingestion.contracts.model import Encryption
from tests.integration.delivery.test_openpgp import NOW, UNCOMPRESSED, Gpg, gpg
from tests.support.landing_house import LandingHouse, landing_house, payments

__all__ = ["gpg"]
pytestmark = pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed")


@pytest.fixture
def sealed_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Payments come sealed and signed."""
    genuine = load_feeds()
    agreed = genuine["payments"].model_copy(update={"encryption": Encryption(type="openpgp")})
    monkeypatch.setattr(ContractBook, "feeds", lambda book, lender: {**genuine, "payments": agreed})


def take_in(house: LandingHouse, *contents: bytes) -> list[tuple[str | None, str]]:
    for number, content in enumerate(contents):
        house.deliver("payments", content, suffix=str(number))
    # The keys of the test are made now, so the files are opened now.
    files = house.at(NOW).ingest().files
    return [(f.reason_code or f.status, f.message or "") for f in files]


@pytest.mark.usefixtures("sealed_feed")
def test_sealed_files_become_rows_and_others_are_refused(gpg: Gpg, tmp_path: Path) -> None:
    with landing_house(tmp_path) as house:
        pgp = tmp_path / "keys" / "meridian" / "pgp"
        for kind, keys in (("secret", gpg.keys.secret_keys), ("certs", gpg.keys.certificates)):
            (pgp / kind).mkdir(parents=True)
            for number, key in enumerate(keys):
                (pgp / kind / f"{number}.pgp").write_bytes(key)
        outcomes = take_in(
            house,
            gpg.signed(content=payments(3)),
            gpg.seal(*UNCOMPRESSED, content=payments(4)),
            gpg.signed(by="stranger", content=payments(5)),
            payments(6),
        )
        assert [code for code, _ in outcomes] == [
            "ingested",
            "UNSIGNED_FILE",
            "BAD_SIGNATURE",
            "NOT_ENCRYPTED",
        ]
        assert len(house.rows("raw.payments")) == 3
        left = [p for p in tmp_path.rglob("*") if p.is_file() and b"P1," in p.read_bytes()]
        # Only what the lender itself delivered in the clear holds the text.
        assert [p.name.rsplit("_", 1)[1] for p in left] == ["3.csv"]


@pytest.mark.usefixtures("sealed_feed")
def test_without_a_key_the_file_waits_and_says_why(gpg: Gpg, tmp_path: Path) -> None:
    with landing_house(tmp_path) as house:
        ((status, message),) = take_in(house, gpg.signed(content=payments(1)))
        assert status == "unfinished"
        assert "key" in message and "tried again" in message
