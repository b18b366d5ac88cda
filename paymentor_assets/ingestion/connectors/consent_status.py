"""The state of consents, asked of the account aggregator that keeps them.

`POST /Consent/fetch` (ReBIT Account Aggregator API v2, for FIUs) answers with the artefact:
`consentId`, `status`, `createTimestamp` and `signedConsent`, a JWS that only the aggregator can
have made. A consent whose state is another than the one on record becomes a line of `aa_consents`.

The answer does not say when the state changed. The line's `createTimestamp` is therefore the
instant at which we learned of it: the earliest of which we can be sure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from paymentor_assets.ingestion.connectors.http import Api
from paymentor_assets.ingestion.connectors.interface import Exchange, Item, Page, is_plain_id
from paymentor_assets.ingestion.connectors.signatures import open_jws
from resources.clock import Clock
from resources.errors import ConnectorError

FEED = "aa_consents"
_VERSION = "2.0.0"


@dataclass(frozen=True)
class KnownConsent:
    """A consent as last heard of."""

    consent_id: str
    customer_id: str
    status: str


class ConsentStatus:
    """One question a consent that may still change; a change of state is an item."""

    feeds = (FEED,)
    waits = False

    def __init__(
        self, api: Api, clock: Clock, key: RSAPublicKey, consents: Sequence[KnownConsent]
    ) -> None:
        self._api = api
        self._clock = clock
        self._key = key
        self._consents = consents

    def exchanges(self) -> list[Exchange]:
        """Exchanges since the last call, failed ones among them."""
        return self._api.exchanges()

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """One page a consent; there is no cursor, since the state on record is the comparison.

        Raises ConnectorError when an answer is about another consent, and SignatureError when the
        aggregator did not sign it.
        """
        for consent in self._consents:
            yield self._page(consent)

    def _page(self, consent: KnownConsent) -> Page:
        # Whole seconds, like the name of the file, than which no row may be younger.
        asked_at = self._clock.now().replace(microsecond=0)
        stamp = f"{asked_at:%Y-%m-%dT%H:%M:%S.000Z}"
        answer, exchange = self._api.ask(
            "POST",
            "/Consent/fetch",
            body={
                "ver": _VERSION,
                "timestamp": stamp,
                "txnid": str(uuid5(NAMESPACE_URL, f"{consent.consent_id}/{stamp}")),
                "consentId": consent.consent_id,
            },
        )
        status, signed = str(answer.get("status", "")), answer.get("signedConsent")
        if answer.get("consentId") != consent.consent_id:
            raise ConnectorError(
                f"{exchange.url} was asked for consent {consent.consent_id} and answered for "
                "another; nothing of this answer is taken."
            )
        if not is_plain_id(status) or not isinstance(signed, str):
            raise ConnectorError(
                f"{exchange.url}: the artefact of consent {consent.consent_id} lacks status or "
                "signedConsent."
            )
        detail = open_jws(signed, self._key)
        if status == consent.status:
            return Page((), exchange)
        line = {
            "consentId": consent.consent_id,
            "customerId": consent.customer_id,
            "status": status,
            "createTimestamp": stamp,
            "ConsentDetail": detail,
        }
        item_id = f"{consent.consent_id}:{status}:{stamp}"
        return Page(
            (Item(item_id, consent.consent_id, asked_at, {FEED: (line,)}, status),), exchange
        )
