"""A landing house whose lender is connected to fake sources."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Table, select

from paymentor_assets.connections import ConnectorBook
from paymentor_assets.ingestion.connectors.delivery import Delivered
from paymentor_assets.ingestion.connectors.pull import Doors, pull
from paymentor_assets.ingestion.contracts.book import ContractBook
from resources.clock import FixedClock
from resources.landing_zone import WritableLandingZone
from tests.support.http_fake import Asked, FakeSource, Reply, reply
from tests.support.landing_house import LandingHouse

SECRETS = {
    "PROCESSOR_TOKEN": "sk_processor",
    "BUREAU_TOKEN": "sk_bureau",
    "AGGREGATOR_TOKEN": "sk_aggregator",
    "WEBHOOK_SECRET": "whsec_new",
    "WEBHOOK_SECRET_BEFORE": "whsec_old",
}


@dataclass
class ConnectorHouse:
    """The house, its sources, and the waits that its client was told to make."""

    house: LandingHouse
    waits: list[float] = field(default_factory=list)
    landing: WritableLandingZone | None = None

    @property
    def book(self) -> ConnectorBook:
        """The connectors of the lender."""
        return ConnectorBook(self.house.root / "lenders", SECRETS)

    def connect(self, source: FakeSource, kind: str, **changes: object) -> None:
        """Describe one connector of the lender, named like its kind."""
        token = {"payments": "PROCESSOR", "bureau": "BUREAU"}.get(kind, "AGGREGATOR")
        described: dict[str, object] = {
            "kind": kind,
            "base_url": source.url,
            "token_variable": f"{token}_TOKEN",
            "page_size": 2,
        }
        folder = self.house.root / "lenders" / self.house.lender.lender_id
        folder.mkdir(parents=True, exist_ok=True)
        content = {"connectors": {kind: described | changes}}
        (folder / "connectors.yaml").write_text(yaml.safe_dump(content))
        if kind == "consent_status":
            (folder / "aggregator.pem").write_bytes(public_pem())

    @property
    def contracts(self) -> ContractBook:
        """The feed contracts of the house's lenders."""
        return ContractBook(self.house.root / "lenders")

    def pull(self, name: str, since: datetime | None = None) -> Delivered:
        """One run of a connector."""
        doors = Doors(
            self.house.lake,
            self.house.store,
            self.landing or self.house.landing,
            self.book,
            self.contracts,
            FixedClock(self.house.now),
            sleep=self.waits.append,
        )
        return pull(doors, self.house.lender, name, actor="test", since=since)

    def at(self, now: datetime) -> ConnectorHouse:
        """The same house at another time."""
        return ConnectorHouse(self.house.at(now), self.waits, self.landing)

    def stored(self, table: Table) -> list[dict[str, Any]]:
        """Rows of a table of the operational store."""
        with self.house.store.read() as connection:
            rows = connection.execute(select(table)).mappings()
            return [dict(row) for row in rows]

    def landed(self) -> dict[str, bytes]:
        """Files in the landing zone by uri."""
        return {
            file.uri: (self.house.root / "landing" / file.uri).read_bytes()
            for file in self.house.landing.list()
        }

    def staged(self) -> list[Path]:
        """Files on their way."""
        folder = self.house.root / "landing" / ".staged"
        return [path for path in folder.rglob("*") if path.is_file()]


def event(
    number: int, at: datetime, kind: str = "payment.succeeded", payment: str = "", **changes: object
) -> dict[str, Any]:
    """An event of the processor about a payment made at the same instant."""
    made: dict[str, Any] = {
        "id": payment or f"P{number}",
        "amount": 500_000 + number,
        "currency": "INR",
        "method": "upi",
        "created": int(at.timestamp()),
        "metadata": {"account_id": f"A{number}", "customer_id": f"C{number}"},
    }
    return {
        "id": f"evt_{number}",
        "type": kind,
        "created": int(at.timestamp()),
        "data": {"object": made | changes},
    }


@dataclass
class Processor:
    """A payment processor with a list of events, oldest first."""

    events: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: Asked) -> Reply:
        assert (request.method, request.path) == ("GET", "/events")
        assert request.headers["Authorization"] == "Bearer sk_processor"
        ids = [e["id"] for e in self.events]
        start = ids.index(request.params["after"]) + 1 if "after" in request.params else 0
        after = [
            e
            for e in self.events[start:]
            if e["created"] >= int(request.params.get("created_from", 0))
        ]
        page = after[: int(request.params["limit"])]
        return reply({"data": page, "has_more": len(after) > len(page)})


def sign(body: bytes, at: datetime, *secrets: str, scheme: str = "v1") -> str:
    """The signature header of a webhook."""
    stamp = int(at.timestamp())
    signatures = [
        hmac.new(secret.encode(), f"{stamp}.".encode() + body, sha256).hexdigest()
        for secret in secrets
    ]
    return ",".join([f"t={stamp}", *(f"{scheme}={signature}" for signature in signatures)])


def bureau_report(customer: str, number: int = 1, **changes: object) -> dict[str, Any]:
    """A report with one tradeline and one enquiry."""
    report_id = f"R{customer}-{number}"
    return {
        "report_id": report_id,
        "customer_id": customer,
        "national_id": "AAAPZ0000A",
        "report_date": "2026-06-30",
        "score": 731,
        "tradelines": [
            {
                "tradeline_id": f"T{customer}",
                "product": "personal_loan",
                "is_own_account": True,
                "opened_date": "2025-01-15",
                "closed_date": None,
                "currency": "INR",
                "sanctioned_amount": "100000.00",
                "current_balance": "80000.50",
                "overdue_amount": 0,
                "payment_history": "000B",
            }
        ],
        "enquiries": [
            {
                "enquiry_id": f"E{customer}",
                "enquiry_date": "2026-05-01",
                "product": "credit_card",
                "currency": "INR",
            }
        ],
    } | changes


@dataclass
class Bureau:
    """A credit bureau that knows some customers, and counts footprints by idempotency key."""

    known: Sequence[str]
    footprints: set[str] = field(default_factory=set)

    def __call__(self, request: Asked) -> Reply:
        assert (request.method, request.path) == ("POST", "/reports")
        self.footprints.add(request.headers["Idempotency-Key"])
        asked = request.document["customers"]
        return reply(
            {
                "reports": [bureau_report(c) for c in asked if c in self.known],
                "not_found": [c for c in asked if c not in self.known],
            }
        )


@cache
def signing_key() -> RSAPrivateKey:
    """The key of the fake aggregator."""
    return generate_private_key(public_exponent=65537, key_size=2048)


def public_pem() -> bytes:
    """Its public half."""
    return signing_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def jws(payload: object, algorithm: str = "RS256") -> str:
    """A compact JWS by the fake aggregator."""

    def encoded(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    signed = ".".join(encoded(json.dumps(part).encode()) for part in ({"alg": algorithm}, payload))
    signature = signing_key().sign(signed.encode(), PKCS1v15(), SHA256())
    return f"{signed}.{encoded(signature)}"


@dataclass
class Aggregator:
    """An account aggregator: consents by id, each with its state and detail."""

    consents: dict[str, tuple[str, dict[str, Any]]]

    def __call__(self, request: Asked) -> Reply:
        assert (request.method, request.path) == ("POST", "/Consent/fetch")
        asked = request.document
        status, detail = self.consents[asked["consentId"]]
        return reply(
            {
                "ver": asked["ver"],
                "txnid": asked["txnid"],
                "consentId": asked["consentId"],
                "status": status,
                "createTimestamp": "2026-06-07T00:00:00.000Z",
                "signedConsent": jws(detail),
                "ConsentUse": {"count": 1},
            }
        )
