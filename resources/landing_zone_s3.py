"""The landing zone in an S3 bucket: `s3://bucket/prefix`, any server that speaks the protocol.

Credentials, region and endpoint come from AWS's own chain (environment, profile, role;
`AWS_ENDPOINT_URL` names another server). The role needs `s3:ListBucket` on the bucket and
`s3:GetObject` below the prefix; where connectors deliver, also `s3:PutObject` and
`s3:DeleteObject`. S3 cannot rename: a staged object is copied into place, then deleted. Copied
again after a death it has the same ETag, which is no new delivery.

The etag is the ETag of S3 and the size. A version id is left out on purpose: the same bytes
uploaded again keep their ETag, and that is no new delivery. An upload is seen only when it is
complete, and replaces what was there at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from resources.errors import SettingsError
from resources.landing_zone import STAGED, LandedFile, Names, is_partial, landed_file, not_before
from resources.remote_file import RemoteFile

#: A broken download goes on where it stopped, this many times without a byte in between.
_RESUMES = 4
_PIECE_BYTES = 1 << 20
_CONFIG = Config(
    connect_timeout=10, read_timeout=60, retries={"mode": "standard", "max_attempts": 5}
)
_ABSENT = {"NoSuchKey", "404", "NoSuchBucket"}


class S3LandingZone:
    """A landing zone that is a prefix of a bucket."""

    def __init__(self, bucket: str, prefix: str = "", *, client: Any | None = None) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._client = client or boto3.client("s3", config=_CONFIG)

    @classmethod
    def at(cls, url: str) -> S3LandingZone:
        """The zone at `s3://bucket/prefix`; raises SettingsError when it is not such a URL."""
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.hostname or parts.query or parts.username:
            raise SettingsError(f"{url!r} is not a landing zone; write it as s3://bucket/prefix.")
        return cls(parts.netloc, parts.path)

    def list(self, since: date | None = None) -> list[LandedFile]:
        """Complete files, sorted by uri; bounded by `since` in the requests, too.

        With `since`, each feed's folder is listed without the stretch of keys from `<feed>_` to
        `<feed>_<since>`, since dates in names sort as text. Raises OSError.
        """
        with _as_os_error(f"The landing zone s3://{self._bucket}/{self._prefix}"):
            found = self._keys(self._prefix) if since is None else self._keys_since(since)
            return not_before(
                (
                    landed_file(
                        entry["Key"].removeprefix(self._prefix),
                        etag=f"{entry['ETag'].strip(chr(34))}-{entry['Size']:x}",
                        size=entry["Size"],
                        completed_at=entry["LastModified"],
                    )
                    for entry in found
                    if not entry["Key"].endswith("/")
                    and not is_partial(entry["Key"].removeprefix(self._prefix))
                ),
                since,
            )

    def open(self, uri: str) -> BinaryIO:
        """The bytes of one file, downloaded as they are read; raises OSError."""
        return _S3Object(self._client, self._bucket, self._prefix + uri, uri).buffered()

    def stage(self, folder: str, name: str, content: bytes) -> None:
        """See `WritableLandingZone`."""
        with _as_os_error(name, "written"):
            self._client.put_object(
                Bucket=self._bucket, Key=self._staged_key(folder, name), Body=content
            )

    def staged(self, folder: str) -> Names:
        """See `WritableLandingZone`."""
        below = self._staged_key(folder, "")
        with _as_os_error(below):
            return sorted(entry["Key"].removeprefix(below) for entry in self._keys(below))

    def place(self, folder: str, name: str, uri: str) -> None:
        """See `WritableLandingZone`."""
        with _as_os_error(uri, "written"):
            self._client.copy_object(
                Bucket=self._bucket,
                Key=self._prefix + uri,
                CopySource={"Bucket": self._bucket, "Key": self._staged_key(folder, name)},
            )
        self.discard(folder, name)

    def discard(self, folder: str, name: str) -> None:
        """See `WritableLandingZone`."""
        with _as_os_error(name, "deleted"):
            self._client.delete_object(Bucket=self._bucket, Key=self._staged_key(folder, name))

    def _staged_key(self, folder: str, name: str) -> str:
        return f"{self._prefix}{STAGED}/{folder}/{name}"

    def _keys_since(self, since: date) -> Iterator[dict[str, Any]]:
        lenders, loose = self._folder(self._prefix)
        yield from loose
        for lender in lenders:
            feeds, loose = self._folder(lender)
            yield from loose
            for folder in feeds:
                feed = folder.removeprefix(lender).rstrip("/")
                yield from self._keys(folder, (f"{folder}{feed}_", f"{folder}{feed}_{since}"))

    def _folder(self, prefix: str) -> tuple[Sequence[str], Sequence[dict[str, Any]]]:
        """The folders and the objects directly below a prefix."""
        folders, objects = [], []
        pages = self._client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket, Prefix=prefix, Delimiter="/"):
            folders += [common["Prefix"] for common in page.get("CommonPrefixes", ())]
            objects += page.get("Contents", ())
        return folders, objects

    def _keys(self, prefix: str, gap: tuple[str, str] = ("", "")) -> Iterator[dict[str, Any]]:
        """All objects below a prefix; those between the two keys of `gap` are jumped over."""
        after = prefix
        while True:
            page = self._client.list_objects_v2(
                Bucket=self._bucket, Prefix=prefix, StartAfter=after
            )
            entries = page.get("Contents", [])
            yield from (e for e in entries if not gap[0] <= e["Key"] < gap[1])
            if not page["IsTruncated"]:
                return
            last = entries[-1]["Key"]
            after = gap[1] if gap[0] <= last < gap[1] else last


class _S3Object(RemoteFile):
    """One object; all of it is read as the version that was opened."""

    def __init__(self, client: Any, bucket: str, key: str, uri: str) -> None:
        with _as_os_error(uri):
            answer = client.get_object(Bucket=bucket, Key=key)
        super().__init__(uri, answer["ContentLength"], _PIECE_BYTES)
        self._client = client
        self._object = {"Bucket": bucket, "Key": key, "IfMatch": answer["ETag"]}
        self._body: Any = answer["Body"]
        self._body_at = 0

    def fetch(self, position: int, length: int) -> bytes:
        """Bytes of the running download; of a new one after a seek or a broken connection."""
        with _as_os_error(self.uri):
            for attempt in range(_RESUMES + 1):
                try:
                    if self._body is None or self._body_at != position:
                        self._download_from(position)
                    piece: bytes = self._body.read(length)
                except BotoCoreError:
                    self._stop()
                    if attempt == _RESUMES:
                        raise
                    continue
                if piece:
                    self._body_at = position + len(piece)
                    return piece
                self._stop()
        return b""

    def close(self) -> None:
        """Give the connection back."""
        if not self.closed:
            self._stop()
        super().close()

    def _download_from(self, position: int) -> None:
        self._stop()
        answer = self._client.get_object(**self._object, Range=f"bytes={position}-")
        self._body, self._body_at = answer["Body"], position

    def _stop(self) -> None:
        body, self._body = getattr(self, "_body", None), None
        if body is not None:
            body.close()


@contextmanager
def _as_os_error(what: str, done: str = "read") -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _ABSENT:
            raise FileNotFoundError(f"{what} is not there ({code}).") from error
        if code in ("PreconditionFailed", "412"):
            raise OSError(f"{what} was replaced while it was being read.") from error
        raise OSError(f"{what} cannot be {done}: {error}.") from error
    except BotoCoreError as error:
        raise OSError(f"{what} cannot be {done}: {error}.") from error
