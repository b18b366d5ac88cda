"""Every kind of landing zone behind one face, so that one suite of tests holds for all of them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from resources.landing_zone import LocalLandingZone, WritableLandingZone
from resources.landing_zone_s3 import S3LandingZone
from resources.landing_zone_sftp import SftpLandingZone
from tests.support.servers import BUCKET, Drop, s3_client

#: When files of these tests were last changed: long ago, and later with every file.
_LONG_AGO = 1_700_000_000


class Stage(Protocol):
    """A zone and the sender's side of it."""

    zone: WritableLandingZone

    def put(self, uri: str, content: bytes) -> None:
        """Put a complete file there, or another one in its place."""

    def put_many(self, uris: list[str]) -> None:
        """Put small files there."""

    def delete(self, uri: str) -> None:
        """Take a file away."""

    def settle(self, uri: str) -> None:
        """Let the time go by after which the zone lists a file."""


@dataclass
class FolderStage:
    """A folder, whoever serves it; every file gets another old modification time."""

    zone: WritableLandingZone
    folder: Path
    written: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, uri: str, content: bytes) -> None:
        """Write, then rename."""
        path = self.folder / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.writing")
        partial.write_bytes(content)
        with self.lock:
            self.written += 1
        os.utime(partial, (_LONG_AGO, _LONG_AGO + self.written))
        partial.replace(path)

    def put_many(self, uris: list[str]) -> None:
        """One after another."""
        for uri in uris:
            self.put(uri, uri.encode())

    def delete(self, uri: str) -> None:
        """Unlink."""
        (self.folder / uri).unlink()

    def settle(self, uri: str) -> None:
        """The file was last changed long ago."""
        os.utime(self.folder / uri, (_LONG_AGO, _LONG_AGO))


@dataclass
class BucketStage:
    """A bucket with a prefix."""

    zone: WritableLandingZone
    client: Any
    prefix: str

    def put(self, uri: str, content: bytes) -> None:
        """Upload."""
        self.client.put_object(Bucket=BUCKET, Key=f"{self.prefix}/{uri}", Body=content)

    def put_many(self, uris: list[str]) -> None:
        """A few at once, since each is a request."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda uri: self.put(uri, uri.encode()), uris))

    def delete(self, uri: str) -> None:
        """Delete the object."""
        self.client.delete_object(Bucket=BUCKET, Key=f"{self.prefix}/{uri}")

    def settle(self, uri: str) -> None:
        """A bucket shows what is complete at once."""


@contextmanager
def local_stage(root: Path) -> Iterator[Stage]:
    """The local folder."""
    yield FolderStage(LocalLandingZone(root), root)


@contextmanager
def sftp_stage(drop: Drop, user: str) -> Iterator[Stage]:
    """A folder behind a real SFTP server, of which the user sees its own."""
    key = drop.admit(user)
    zone = SftpLandingZone(
        host="127.0.0.1",
        port=drop.port,
        user=user,
        root="/",
        key_file=key,
        known_hosts=drop.known_hosts,
    )
    try:
        yield FolderStage(zone, drop.landing / user)
    finally:
        zone.close()


@contextmanager
def bucket_stage(endpoint: str, prefix: str) -> Iterator[Stage]:
    """A prefix in the bucket of a server that speaks S3."""
    client = s3_client(endpoint)
    try:
        zone = S3LandingZone(BUCKET, prefix, client=client)
        yield BucketStage(zone, client, prefix)
    finally:
        client.close()
