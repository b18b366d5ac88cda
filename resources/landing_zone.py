"""The landing zone: where lenders drop files, seen as a listing of complete files.

What belongs here: the one interface of all zones, what every zone agrees on (which files are
complete, what place and name say), and the zone that is a folder; S3 and SFTP have modules of
their own. What does not: whether a file is wanted or good (`paymentor_assets.ingestion`).

When is a file complete? Dotfiles and names that end like a partial upload never are: this is how
careful senders work, who rename at the end. For the others a zone cannot tell "renamed into
place" from "being written", so a file also has to have settled: its last change lies some time
away from now, in either direction. A writer keeps moving the time of change to the present, while
a copy that was given an old (or a future) time at its end is no longer being written. S3 shows
only finished uploads and needs none of this. What a cut transfer leaves behind looks complete
after a while; contracts that bound rows, and formats with trailers, find it.

A file stands at `<lender>/<feed>/<feed>_<YYYY-MM-DD>[_<YYYYMMDDTHHMMSSZ>][_suffix].<ext>`: the
business date, then the instant of delivery in UTC.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Protocol

from resources.clock import Clock, SystemClock

_NAME = re.compile(
    r"(?P<feed>[a-z][a-z0-9_]*?)_(?P<day>\d{4}-\d{2}-\d{2})"
    r"(?:_(?P<delivered>\d{8}T\d{6}Z))?(?:_[A-Za-z0-9.-][A-Za-z0-9_.-]*)?\.[A-Za-z0-9]+"
)
#: Endings that senders give a file while they write it (WinSCP: filepart).
_PARTIAL_SUFFIXES = (".tmp", ".part", ".partial", ".filepart")


#: Inside a zone, `list` is its method.
Names = list[str]


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
    name_error: str | None = None
    #: When the file became complete here, by the zone itself: change time or time of upload.
    completed_at_utc: datetime | None = None

    @property
    def name(self) -> str:
        """The file name without folders."""
        return self.uri.rpartition("/")[2]


class LandingZone(Protocol):
    """Any landing zone: a folder, a bucket, a server.

    An etag changes when the bytes under a uri change, as far as the zone can see that. A deleted
    file is no longer listed, and that is all that a deletion means.
    """

    def list(self, since: date | None = None) -> list[LandedFile]:
        """Complete files, sorted by uri; those with a business date before `since` left out.

        Raises OSError when the zone cannot be listed as a whole.
        """
        ...

    def open(self, uri: str) -> BinaryIO:
        """The bytes of one file, seekable; raises OSError when it cannot be read, then or later."""
        ...


class WritableLandingZone(LandingZone, Protocol):
    """A landing zone into which the platform puts files itself, in two steps.

    A staged file is durable and in no listing; between the steps stands the caller's transaction.
    `folder` keeps the staged files of one writer apart. All raise OSError.
    """

    def stage(self, folder: str, name: str, content: bytes) -> None:
        """Keep a file ready, in place of one of that name that was."""
        ...

    def staged(self, folder: str) -> Names:
        """Names of the files that are kept ready, in order."""
        ...

    def place(self, folder: str, name: str, uri: str) -> None:
        """Let a staged file be listed as `uri`, complete at once; safe to repeat after a death."""
        ...

    def discard(self, folder: str, name: str) -> None:
        """Delete a staged file."""
        ...


#: Where staged files stand: a hidden folder, which no listing shows.
STAGED = ".staged"


def is_partial(uri: str) -> bool:
    """Whether some part of the path says that the file is not meant to be seen yet."""
    return uri.lower().endswith(_PARTIAL_SUFFIXES) or any(
        part.startswith(".") for part in uri.split("/")
    )


def has_settled(changed_at: datetime, now: datetime, settling: timedelta) -> bool:
    """Whether a file whose last change is said to be at `changed_at` is no longer being written.

    The clocks of writer and reader must agree to within `settling`.
    """
    return abs(now - changed_at) >= settling


def not_before(files: Iterable[LandedFile], since: date | None) -> list[LandedFile]:
    """The files of a listing in order; those that have no business date are always in it."""
    wanted = (
        f for f in files if since is None or f.business_date is None or f.business_date >= since
    )
    return sorted(wanted, key=lambda f: f.uri)


class LocalLandingZone:
    """A landing zone that is a folder.

    `settling` is zero where everybody who writes here renames at the end (the simulator, the SFTP
    drop), and longer where a lender's copy may write in place.
    """

    def __init__(
        self, root: Path, *, settling: timedelta = timedelta(0), clock: Clock | None = None
    ) -> None:
        self._root = root
        self._settling = settling
        self._clock = clock or SystemClock()

    def list(self, since: date | None = None) -> list[LandedFile]:
        """Complete files, sorted by uri.

        The etag comes from inode, size and change time: modification times lie, since a copy may
        keep an old one.
        """
        return not_before(self._complete_files(), since)

    def open(self, uri: str) -> BinaryIO:
        """The bytes of one file; raises OSError when it cannot be read."""
        return (self._root / uri).open("rb")

    def stage(self, folder: str, name: str, content: bytes) -> None:
        """See `WritableLandingZone`."""
        path = self._root / STAGED / folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _sync(path.parent)

    def staged(self, folder: str) -> Names:
        """See `WritableLandingZone`."""
        return sorted(path.name for path in (self._root / STAGED / folder).glob("*"))

    def place(self, folder: str, name: str, uri: str) -> None:
        """See `WritableLandingZone`."""
        target = self._root / uri
        target.parent.mkdir(parents=True, exist_ok=True)
        (self._root / STAGED / folder / name).rename(target)
        _sync(target.parent)

    def discard(self, folder: str, name: str) -> None:
        """See `WritableLandingZone`."""
        (self._root / STAGED / folder / name).unlink()

    def _complete_files(self) -> Iterator[LandedFile]:
        now = self._clock.now()
        for path in self._root.rglob("*") if self._root.is_dir() else ():
            uri = path.relative_to(self._root).as_posix()
            if is_partial(uri):
                continue
            try:
                status = path.stat()
            except FileNotFoundError:
                # Renamed or deleted since its folder was read.
                continue
            changed_at = datetime.fromtimestamp(status.st_ctime, UTC)
            if not stat.S_ISREG(status.st_mode) or not has_settled(changed_at, now, self._settling):
                continue
            yield landed_file(
                uri,
                etag=f"{status.st_ino:x}-{status.st_size:x}-{status.st_ctime_ns:x}",
                size=status.st_size,
                completed_at=changed_at,
            )


def _sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def landed_file(
    uri: str, *, etag: str, size: int, completed_at: datetime | None = None
) -> LandedFile:
    """What place and name of a file say; never raises, the fault stands in `name_error`."""
    # A name that is not UTF-8 cannot be stored or shown; written out, it names no file, so that
    # the attempt to read it fails and is recorded.
    uri = uri.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
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
        uri, etag, size, lender_id, feed, business_date, delivered, error, completed_at
    )
