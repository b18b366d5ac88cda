"""The state of consents: asked while it may change, believed when signed, told when it changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from resources.errors import ConnectorError, ContractError, SignatureError
from tests.support.connector_house import Aggregator, ConnectorHouse, jws
from tests.support.http_fake import FakeSource, fake_source, reply
from tests.support.landing_house import NOW, as_lines, consent


def detail(number: int) -> dict[str, Any]:
    """What the artefact of a consent says, as the aggregator signed it."""
    content: dict[str, Any] = consent(number)["ConsentDetail"]
    return content | {"Accounts": [{"fiType": "DEPOSIT", "linkRefNumber": f"L{number}"}]}


@pytest.fixture
def aggregator() -> Aggregator:
    return Aggregator(
        {
            "CO1": ("ACTIVE", detail(1)),
            "CO2": ("REVOKED", detail(2)),
            "CO3": ("EXPIRED", detail(3)),
        }
    )


@pytest.fixture
def source(aggregator: Aggregator, connected: ConnectorHouse) -> Iterator[FakeSource]:
    """On record: CO1 and CO2 active, CO3 paused, CO4 revoked."""
    connected.house.deliver(
        "aa_consents",
        as_lines(
            consent(1),
            consent(2),
            consent(3, status="PAUSED"),
            consent(4),
            consent(4, status="REVOKED", createTimestamp="2026-06-08T00:00:00.000Z"),
        ),
    )
    connected.house.ingest()
    with fake_source(aggregator) as made:
        connected.connect(made, "consent_status", public_key_file="aggregator.pem")
        yield made


def asked_for(source: FakeSource) -> list[str]:
    return [asked.document["consentId"] for asked in source.asked]


def states(connected: ConnectorHouse) -> list[tuple[str, str]]:
    rows = connected.house.rows("raw.aa_consents")
    return [(row["consent_id"], row["status"]) for row in rows]


def test_a_change_of_state_reaches_raw_with_what_was_consented(
    connected: ConnectorHouse, source: FakeSource
) -> None:
    done = connected.pull("consent_status")
    assert asked_for(source) == ["CO1", "CO2", "CO3"], "what was revoked is not asked about"
    assert done.rows == {"aa_consents": 2}
    connected.house.ingest(run_id="run-2")
    assert states(connected) == [
        ("CO1", "ACTIVE"),
        ("CO2", "ACTIVE"),
        ("CO2", "REVOKED"),
        ("CO3", "EXPIRED"),
        ("CO3", "PAUSED"),
        ("CO4", "ACTIVE"),
        ("CO4", "REVOKED"),
    ]
    rows = connected.house.rows("raw.aa_consents")
    before, after = (
        {k: v for k, v in row.items() if not k.startswith("_")}
        for row in rows
        if row["consent_id"] == "CO2"
    )
    assert after.pop("created_at_utc") == NOW.replace(tzinfo=None)
    assert before.pop("created_at_utc") < NOW.replace(tzinfo=None)
    assert {**before, "status": "REVOKED"} == after


def test_a_state_is_told_once_and_a_final_one_ends_the_asking(
    connected: ConnectorHouse, source: FakeSource
) -> None:
    connected.pull("consent_status")
    # The file of the change has not been taken in yet.
    assert connected.at(NOW + timedelta(minutes=1)).pull("consent_status").files == []
    connected.house.ingest(run_id="run-2")
    later = connected.at(NOW + timedelta(hours=1))
    assert later.pull("consent_status").files == []
    assert asked_for(source)[3:] == ["CO1", "CO1"]


def test_a_state_may_change_to_and_fro(
    connected: ConnectorHouse, source: FakeSource, aggregator: Aggregator
) -> None:
    told = []
    for hour, status in enumerate(["PAUSED", "ACTIVE", "ACTIVE", "PAUSED"]):
        aggregator.consents["CO1"] = (status, detail(1))
        connected.at(NOW + timedelta(hours=hour)).pull("consent_status")
        later = connected.at(NOW + timedelta(hours=hour, minutes=30))
        later.house.ingest(run_id=f"run-{hour + 2}")
        told.append(states(connected).count(("CO1", status)))
    assert told == [1, 2, 2, 2]


def test_what_the_aggregator_did_not_sign_is_not_believed(
    connected: ConnectorHouse, source: FakeSource
) -> None:
    parts = jws(detail(2)).split(".")
    forged = ".".join([*parts[:2], jws(detail(1)).split(".")[2]])
    source.answer = lambda asked: reply(
        {"consentId": "CO1", "status": "REVOKED", "signedConsent": forged}
    )
    with pytest.raises(SignatureError, match="does not hold"):
        connected.pull("consent_status")
    assert connected.staged() == []
    assert len(connected.landed()) == 1


def test_an_answer_that_is_no_artefact_is_not_taken(
    connected: ConnectorHouse, source: FakeSource
) -> None:
    for answer, said in (
        ({"consentId": "CO9", "status": "REVOKED", "signedConsent": ""}, "answered for another"),
        ({"consentId": "CO1", "signedConsent": ""}, "lacks status or signedConsent"),
        ({"consentId": "CO1", "status": "REVOKED"}, "lacks status or signedConsent"),
    ):
        source.answer = lambda _, answer=answer: reply(answer)  # type: ignore[misc]
        with pytest.raises(ConnectorError, match=said):
            connected.pull("consent_status")


def test_without_the_public_key_nothing_is_asked(
    connected: ConnectorHouse, source: FakeSource
) -> None:
    key = connected.house.root / "lenders" / "meridian" / "aggregator.pem"
    key.write_text("no key")
    with pytest.raises(ContractError, match="no public key"):
        connected.pull("consent_status")
    key.unlink()
    with pytest.raises(ContractError, match="needs the public key"):
        connected.pull("consent_status")
    assert source.asked == []
