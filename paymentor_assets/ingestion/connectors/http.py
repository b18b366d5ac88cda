"""The one HTTP client of the connectors: bounded, patient with passing faults, and on the record.

What belongs here: how a question is put and when an answer counts. What does not: what either
means (`payments`, `bureau_pull`, `consent_status`).
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from paymentor_assets.connections import Secret, is_loopback
from paymentor_assets.ingestion.connectors.interface import Exchange
from resources.clock import Clock
from resources.errors import ConnectorError

#: Answers after which the same question may be put again (RFC 9110, section 15.6; RFC 6585).
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_BLOCK_BYTES = 64 << 10


@dataclass(frozen=True)
class Limits:
    """How long and how much: seconds, attempts of one question, bytes of one answer."""

    attempts: int = 5
    connect_seconds: float = 5.0
    silence_seconds: float = 30.0
    answer_seconds: float = 120.0
    answer_bytes: int = 16 << 20
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 60.0


class Api:
    """A source's HTTP interface; every exchange is kept until `exchanges` hands it over.

    HTTPS with verified certificates always, plain HTTP to this machine alone. The token travels in
    the Authorization header and appears nowhere else. No redirect is followed: it would carry
    the question to an address that nobody configured.
    """

    def __init__(
        self,
        base_url: str,
        token: Secret,
        clock: Clock,
        *,
        limits: Limits | None = None,
        sleep: Callable[[float], None] = time.sleep,
        draw: Callable[[], float] = random.random,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._token = token
        self._clock = clock
        self._limits = limits or Limits()
        self._sleep = sleep
        self._draw = draw
        self._timer = timer
        self._exchanges: list[Exchange] = []
        self._session = requests.Session()
        self._session.auth = _Bearer(token)
        # The machine's proxy cannot reach what listens on the machine's loopback.
        self._session.trust_env = not is_loopback(base_url)
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=0))

    def exchanges(self) -> list[Exchange]:
        """Exchanges since the last call, failed ones among them."""
        taken, self._exchanges = self._exchanges, []
        return taken

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        body: Mapping[str, object] | None = None,
        idempotency_key: str | None = None,
    ) -> tuple[dict[str, Any], Exchange]:
        """Put one question until it is answered; returns the JSON object and its exchange.

        Faults that may pass (no connection, a cut answer, 408, 429, 500, 502 to 504) are tried
        again with exponential, jittered waits, or after the seconds the source asks for. Only
        questions that may be repeated belong here. Raises ConnectorError when attempts are used
        up, for any other status, and for an answer that is too large, too slow or no JSON object.
        """
        url = f"{self._base_url}{path}" + (
            f"?{urlencode(sorted(params.items()))}" if params else ""
        )
        content = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
        fault = "was not asked"
        for attempt in range(1, self._limits.attempts + 1):
            outcome = self._try(method, url, content, idempotency_key)
            if not isinstance(outcome, _Transient):
                return outcome
            fault = outcome.fault
            if attempt < self._limits.attempts:
                self._sleep(self._wait(attempt, outcome.asked_wait, method, url))
        raise ConnectorError(
            f"{method} {url} {fault} at the last of {self._limits.attempts} attempts; what was "
            "delivered before stands, run it again later."
        )

    def _try(
        self, method: str, url: str, content: bytes, idempotency_key: str | None
    ) -> tuple[dict[str, Any], Exchange] | _Transient:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if content:
            headers["Content-Type"] = "application/json"
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        status: int | None = None
        answer: bytes | None = None
        at = self._clock.now()
        try:
            with self._session.request(
                method,
                url,
                data=content or None,
                headers=headers,
                timeout=(self._limits.connect_seconds, self._limits.silence_seconds),
                allow_redirects=False,
                stream=True,
                verify=True,
            ) as response:
                status = response.status_code
                answer = self._read(response, url)
        # What requests says may quote headers; its kind is enough, and holds no secret.
        except requests.exceptions.SSLError:
            raise ConnectorError(
                f"{url}: the certificate could not be verified; nothing was sent. Have the source "
                "renew it, or add its authority to this machine's."
            ) from None
        except requests.exceptions.Timeout:
            return _Transient("did not answer in time")
        except (requests.exceptions.ConnectionError, urllib3.exceptions.HTTPError):
            return _Transient("could not be reached, or broke off its answer")
        except requests.exceptions.RequestException as error:
            raise ConnectorError(
                f"{method} {url} could not be asked ({type(error).__name__}); check the base URL "
                f"and the token in {self._token.variable}."
            ) from None
        finally:
            exchange = exchange_of(method, url, content, status, answer, at)
            self._exchanges.append(exchange)
        if status in _TRANSIENT:
            return _Transient(f"answered {status}", response.headers.get("Retry-After"))
        self._refuse_unless_json(response, method, url)
        try:
            document = json.loads(answer)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise ConnectorError(f"{method} {url} answered with something that is no JSON object.")
        return document, exchange

    def _read(self, response: requests.Response, url: str) -> bytes:
        """The bytes of an answer as sent; a compressed one is refused, since it could be a bomb."""
        limits = self._limits
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise ConnectorError(f"{url} answered compressed, which was not asked for.")
        deadline = self._timer() + limits.answer_seconds
        blocks, size = [], 0
        # Whatever has arrived: a read that waits for a full block is deaf to the deadline while a
        # source sends byte by byte.
        while block := response.raw.read1(_BLOCK_BYTES):
            size += len(block)
            if size > limits.answer_bytes:
                raise ConnectorError(
                    f"{url} answered with more than {limits.answer_bytes} bytes; "
                    "configure a smaller page_size."
                )
            if self._timer() > deadline:
                raise requests.exceptions.Timeout
            blocks.append(block)
        return b"".join(blocks)

    def _refuse_unless_json(self, response: requests.Response, method: str, url: str) -> None:
        status = response.status_code
        if 300 <= status < 400:
            raise ConnectorError(
                f"{method} {url} answered {status}, a redirect, which is never followed; if the "
                "source has moved, configure its new base_url."
            )
        if status in (401, 403):
            raise ConnectorError(
                f"{method} {url} answered {status}; check the token in {self._token.variable}."
            )
        if status != 200:
            raise ConnectorError(f"{method} {url} answered {status}, and will again; see its log.")
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise ConnectorError(
                f"{method} {url} answered with {kind or 'no content type'} instead of "
                "application/json; check the base URL."
            )

    def _wait(self, attempt: int, asked: str | None, method: str, url: str) -> float:
        longest = self._limits.longest_wait_seconds
        if asked is not None and (seconds := self._asked_seconds(asked)) is not None:
            if seconds > longest:
                raise ConnectorError(
                    f"{method} {url} asks to be left alone for {seconds:.0f} s, which is more than "
                    f"a run waits ({longest:.0f} s); run it again then."
                )
            return seconds
        # Between half and all of the exponential wait, so that clients do not return in step.
        return min(longest, self._limits.first_wait_seconds * 2.0 ** (attempt - 1)) * (
            0.5 + self._draw() / 2
        )

    def _asked_seconds(self, text: str) -> float | None:
        """Retry-After: seconds or an HTTP date (RFC 9110, section 10.2.3); None when neither."""
        if text.strip().isdecimal() and len(text) < 10:
            return float(text)
        try:
            instant = parsedate_to_datetime(text)
        except ValueError:
            return None
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=UTC)
        return max(0.0, (instant - self._clock.now()).total_seconds())


@dataclass(frozen=True)
class _Transient:
    fault: str
    asked_wait: str | None = None


class _Bearer(AuthBase):
    """The token; being an auth object, it also keeps a .netrc of the machine out."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        return request


def exchange_of(
    method: str, url: str, body: bytes, status: int | None, answer: bytes | None, at: datetime
) -> Exchange:
    """The evidence of one exchange; `answer` is None when no whole one came.

    The request's hash is SHA-256 over method, URL and the hex SHA-256 of the body, one a line.
    """
    request = f"{method}\n{url}\n{sha256(body).hexdigest()}"
    return Exchange(
        method=method,
        url=url,
        request_sha256=sha256(request.encode()).hexdigest(),
        response_sha256=None if answer is None else sha256(answer).hexdigest(),
        status=status,
        byte_size=len(answer or b""),
        at=at,
    )
