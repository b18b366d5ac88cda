"""The client of the connectors over real HTTP: what it tries again, what it refuses, what it
keeps."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from paymentor_assets.connections import Secret
from paymentor_assets.ingestion.connectors.http import Api, Limits
from resources.clock import FixedClock
from resources.errors import ConnectorError
from tests.support.http_fake import FakeSource, Reply, fake_source, reply

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
TOKEN = "sk_very_secret"


@pytest.fixture
def source() -> Iterator[FakeSource]:
    with fake_source(lambda _: reply({"data": 1})) as made:
        yield made


class Client(Api):
    """The client with waits that are only written down."""

    def __init__(self, url: str, limits: Limits | None = None) -> None:
        self.waits: list[float] = []
        super().__init__(
            url,
            Secret("THE_TOKEN", TOKEN),
            FixedClock(NOW),
            limits=limits,
            sleep=self.waits.append,
            draw=lambda: 1.0,
        )


def test_an_exchange_is_kept_as_hashes(source: FakeSource) -> None:
    api = Client(source.url + "/v1/")
    document, exchange = api.ask("POST", "/x", params={"b": 2, "a": "1 2"}, body={"c": [3]})
    assert document == {"data": 1}
    asked = source.asked[0]
    assert (asked.path, asked.params) == ("/v1/x", {"a": "1 2", "b": "2"})
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"
    url = f"{source.url}/v1/x?a=1+2&b=2"
    request = f"POST\n{url}\n{sha256(asked.body).hexdigest()}"
    assert exchange.request_sha256 == sha256(request.encode()).hexdigest()
    assert exchange.response_sha256 == sha256(b'{"data": 1}').hexdigest()
    assert (exchange.status, exchange.byte_size, exchange.at) == (200, 11, NOW)
    assert api.exchanges() == [exchange]
    assert api.exchanges() == []


def test_passing_faults_are_tried_again_with_growing_waits(source: FakeSource) -> None:
    source.fail_with(*(Reply(status) for status in (500, 502, 503, 504)))
    api = Client(source.url)
    assert api.ask("GET", "/x")[0] == {"data": 1}
    assert api.waits == [0.5, 1.0, 2.0, 4.0]
    assert [e.status for e in api.exchanges()] == [500, 502, 503, 504, 200]


@pytest.mark.parametrize(
    ("asked", "waits"),
    [
        ("7", [7.0]),
        ("Wed, 01 Jul 2026 12:00:09 GMT", [9.0]),
        ("Wed, 01 Jul 2026 11:00:00 GMT", [0.0]),
        ("soon", [0.5]),
        ("-3", [0.5]),
    ],
)
def test_the_source_says_how_long_to_wait(
    source: FakeSource, asked: str, waits: list[float]
) -> None:
    source.fail_with(Reply(429, headers={"Retry-After": asked}))
    api = Client(source.url)
    api.ask("GET", "/x")
    assert api.waits == waits


def test_a_run_does_not_wait_for_an_hour(source: FakeSource) -> None:
    source.fail_with(Reply(429, headers={"Retry-After": "3600"}))
    api = Client(source.url)
    with pytest.raises(ConnectorError, match="left alone for 3600 s"):
        api.ask("GET", "/x")
    assert api.waits == []
    assert [e.status for e in api.exchanges()] == [429]


def test_attempts_are_used_up(source: FakeSource) -> None:
    source.fail_with(*[Reply(503)] * 5)
    api = Client(source.url)
    with pytest.raises(ConnectorError, match="answered 503 at the last of 5 attempts"):
        api.ask("GET", "/x")
    assert len(source.asked) == 5


def test_a_cut_answer_is_asked_for_again(source: FakeSource) -> None:
    source.fail_with(Reply(body=b'{"data": ', declared_length=100))
    api = Client(source.url)
    assert api.ask("GET", "/x")[0] == {"data": 1}
    cut, whole = api.exchanges()
    assert (cut.status, cut.response_sha256) == (200, None)
    assert whole.response_sha256 is not None


def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    api = Client(f"http://127.0.0.1:{port}")
    with pytest.raises(ConnectorError, match="could not be reached"):
        api.ask("GET", "/x")
    assert [e.status for e in api.exchanges()] == [None] * 5


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Reply(401), "check the token in THE_TOKEN"),
        (Reply(404), "answered 404"),
        (Reply(204), "answered 204"),
        (Reply(content_type="text/html"), "text/html instead of application/json"),
        (Reply(body=b"[1]"), "no JSON object"),
        (Reply(body=b'{"a":'), "no JSON object"),
        (Reply(body=b'{"a":' * 100_000), "no JSON object"),
        (Reply(body=b"\xff\xfe\xfd"), "no JSON object"),
        (Reply(headers={"Content-Encoding": "gzip"}), "compressed"),
        (Reply(302, headers={"Location": "https://elsewhere.example/"}), "never followed"),
        (Reply(body=b" " * 5000), "more than 4096 bytes"),
    ],
)
def test_what_will_not_get_better_is_refused_at_once(
    source: FakeSource, answer: Reply, said: str
) -> None:
    source.fail_with(answer)
    limits = Limits(answer_bytes=1 << 20 if len(answer.body) > 5000 else 4096)
    api = Client(source.url, limits)
    with pytest.raises(ConnectorError, match=said) as caught:
        api.ask("GET", "/x")
    assert len(source.asked) == 1
    assert len(api.exchanges()) == 1
    assert TOKEN not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_a_redirect_reaches_nobody(source: FakeSource) -> None:
    with fake_source() as elsewhere:
        source.fail_with(Reply(307, headers={"Location": f"{elsewhere.url}/x"}))
        with pytest.raises(ConnectorError, match="redirect"):
            Client(source.url).ask("POST", "/x", body={"customer": "C1"})
        assert elsewhere.asked == []


def test_an_answer_that_never_ends_is_left(source: FakeSource) -> None:
    ticks = iter(range(0, 100_000, 30))
    api = Api(
        source.url,
        Secret("THE_TOKEN", TOKEN),
        FixedClock(NOW),
        limits=Limits(answer_seconds=20, attempts=2),
        sleep=lambda _: None,
        timer=lambda: float(next(ticks)),
    )
    with pytest.raises(ConnectorError, match="did not answer in time at the last of 2 attempts"):
        api.ask("GET", "/x")


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self_signed(tmp_path))
        heard = b""

        def listen() -> None:
            nonlocal heard
            peer, _ = server.accept()
            with peer, suppress(ssl.SSLError), context.wrap_socket(peer, server_side=True) as safe:
                heard = safe.recv(4096)

        thread = threading.Thread(target=listen)
        thread.start()
        api = Client(f"https://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(ConnectorError, match="certificate could not be verified"):
            api.ask("GET", "/x")
        thread.join(10)
    assert (api.waits, heard) == ([], b"")


def self_signed(folder: Path) -> Path:
    """Certificate and key of 127.0.0.1, signed by nobody else, in one PEM file."""
    key = generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + certificate.public_bytes(Encoding.PEM)
    )
    return path
