"""The landing zone: where lenders drop files, seen as a listing of complete files.

What belongs here: finding and opening files, and what a file's place and name say. What does not:
whether a file is wanted or good (`paymentor_assets.ingestion`).

A file stands at `<lender>/<feed>/<feed>_<YYYY-MM-DD>[_<YYYYMMDDTHHMMSSZ>][_suffix].<ext>`: the
business date, then the instant of delivery in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import BinaryIO, Protocol

_NAME = re.compile(
    r"(?P<feed>[a-z][a-z0-9_]*?)_(?P<day>\d{4}-\d{2}-\d{2})"
    r"(?:_(?P<delivered>\d{8}T\d{6}Z))?(?:_[A-Za-z0-9.-][A-Za-z0-9_.-]*)?\.[A-Za-z0-9]+"
)
_INCOMPLETE_SUFFIXES = (".tmp", ".part")


@dataclass(frozen=True)
class LandedFile:
    """One complete file in the landing zone.

    `uri` is relative to the zone, so that it stays true when the zone is moved. `name_error` is
    the sentence that says why place or name could not be read; such files are listed so that they
    are recorded, not skipped.
    """

    uri: str
    etag: str
    size: int
    lender_id: str
    feed: str
    business_date: date | None
    delivered_at_utc: datetime | None
    path: Path
    name_error: str | None = None
    #: When the file became complete here, by the zone itself: change time or time of upload.
    completed_at_utc: datetime | None = None

    @property
    def name(self) -> str:
        """The file name without folders."""
        return self.path.name


class LandingZone(Protocol):
    """Any landing zone: a folder today, S3 and SFTP by the same interface."""

    def list(self, since: date | None = None) -> list[LandedFile]:
        """Complete files, sorted by uri; those with a business date before `since` left out."""
        ...

    def open(self, uri: str) -> BinaryIO:
        """The bytes of one file."""
        ...


class LocalLandingZone:
    """A landing zone that is a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def list(self, since: date | None = None) -> list[LandedFile]:
        """Complete files, sorted by uri.

        Dotfiles, `*.tmp` and `*.part` are being written and are left out. The etag comes from
        inode, size and change time: modification times lie, since a copy may keep an old one.
        """
        files = [self._landed(path) for path in self._complete_files()]
        if since is not None:
            files = [f for f in files if f.business_date is None or f.business_date >= since]
        return sorted(files, key=lambda f: f.uri)

    def open(self, uri: str) -> BinaryIO:
        """The bytes of one file; raises OSError when it cannot be read."""
        return (self._root / uri).open("rb")

    def _complete_files(self) -> Iterator[Path]:
        if not self._root.is_dir():
            return
        for path in self._root.rglob("*"):
            parts = path.relative_to(self._root).parts
            if any(part.startswith(".") for part in parts):
                continue
            if path.name.endswith(_INCOMPLETE_SUFFIXES) or not path.is_file():
                continue
            yield path

    def _landed(self, path: Path) -> LandedFile:
        status = path.stat()
        uri = path.relative_to(self._root).as_posix()
        return landed_file(
            uri,
            etag=f"{status.st_ino:x}-{status.st_size:x}-{status.st_ctime_ns:x}",
            size=status.st_size,
            path=path,
            completed_at=datetime.fromtimestamp(status.st_ctime, UTC),
        )


def landed_file(
    uri: str, *, etag: str, size: int, path: Path, completed_at: datetime | None = None
) -> LandedFile:
    """What place and name of a file say; never raises, the fault stands in `name_error`."""
    parts = uri.split("/")
    lender_id = parts[0] if len(parts) > 1 else ""
    feed = parts[1] if len(parts) > 2 else ""
    business_date: date | None = None
    delivered: datetime | None = None
    error: str | None = None
    match = _NAME.fullmatch(parts[-1])
    if len(parts) != 3:
        error = f"{uri} does not stand in <lender>/<feed>/; move it there."
    elif match is None or match["feed"] != feed:
        error = (
            f"{uri}: the name is not {feed}_<YYYY-MM-DD>_<YYYYMMDDTHHMMSSZ>.<extension>; "
            "rename the file and deliver it again."
        )
    else:
        try:
            business_date = date.fromisoformat(match["day"])
            if match["delivered"]:
                delivered = datetime.strptime(match["delivered"], "%Y%m%dT%H%M%SZ").replace(
                    tzinfo=UTC
                )
        except ValueError:
            error = (
                f"{uri}: the name holds a date or time that does not exist; rename the file and "
                "deliver it again."
            )
    return LandedFile(
        uri, etag, size, lender_id, feed, business_date, delivered, path, error, completed_at
    )
