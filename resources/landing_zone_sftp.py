"""The landing zone on a lender's SFTP server: `sftp://user@host:port/path`.

The server must prove itself by a known host key and we prove ourselves by a key file; there are no
passwords. The protocol offers little, so two things are worth knowing:

A file is complete when its modification time has settled (see `landing_zone`), a minute by
default, by the clocks of both machines.

The etag is size and modification time, since SFTP has neither inode nor change time. An overwrite
is found unless it has exactly the old size and is given exactly the old time, to the second: a
sender who wants that to be seen must use another name. Two writes within one second are no such
case, because the file settles first.
"""

from __future__ import annotations

import asyncio
import stat
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast
from urllib.parse import unquote, urlsplit

import asyncssh

from resources.clock import Clock, SystemClock
from resources.errors import SettingsError
from resources.landing_zone import (
    STAGED,
    LandedFile,
    Names,
    has_settled,
    is_partial,
    landed_file,
    not_before,
)
from resources.remote_file import RemoteFile

SETTLING = timedelta(minutes=1)
#: A read of this size is many requests under way at once, which hides the way to the server.
_PIECE_BYTES = 4 << 20
_CONNECT_SECONDS = 20
_KEEPALIVE_SECONDS = 15
#: Folders listed at once.
_FOLDERS_AT_ONCE = 8

T = TypeVar("T")
_Listing = list[LandedFile]


class SftpLandingZone:
    """A landing zone that is a folder of an SFTP server; `close` it, or leave it to the process.

    One connection is kept and made anew when it is lost; calls may come from any thread.
    """

    def __init__(
        self,
        *,
        host: str,
        user: str,
        root: str,
        key_file: Path,
        known_hosts: Path,
        port: int = 22,
        settling: timedelta = SETTLING,
        clock: Clock | None = None,
    ) -> None:
        for path, what in ((key_file, "private key"), (known_hosts, "list of known hosts")):
            if not path.is_file():
                raise SettingsError(f"There is no {what} at {path} for sftp://{user}@{host}.")
        self._where = f"sftp://{user}@{host}:{port}{root}"
        self._root = root.rstrip("/")
        self._settling = settling
        self._clock = clock or SystemClock()
        self._session = _Session(
            host=host,
            port=port,
            username=user,
            client_keys=[str(key_file)],
            known_hosts=str(known_hosts),
        )

    @classmethod
    def at(cls, url: str, *, key_file: Path | None, known_hosts: Path | None) -> SftpLandingZone:
        """The zone at `sftp://user@host:port/path`.

        Raises SettingsError when it is not such a URL, holds a password, or a file is missing.
        """
        parts = urlsplit(url)
        if parts.password is not None:
            raise SettingsError(
                f"The landing zone at {parts.hostname} holds a password; take it out, and name a "
                "key file in PAYMENTOR_SFTP_KEY_FILE."
            )
        if parts.scheme != "sftp" or not parts.hostname or not parts.username:
            raise SettingsError(
                f"{url!r} is not a landing zone; write it as sftp://user@host:port/path."
            )
        if key_file is None or known_hosts is None:
            raise SettingsError(
                f"{url} needs PAYMENTOR_SFTP_KEY_FILE (our private key) and "
                "PAYMENTOR_SFTP_KNOWN_HOSTS (the server's public key); set both."
            )
        return cls(
            host=parts.hostname,
            port=parts.port or 22,
            user=unquote(parts.username),
            root=unquote(parts.path) or "/",
            key_file=key_file,
            known_hosts=known_hosts,
        )

    def list(self, since: date | None = None) -> list[LandedFile]:
        """Complete files, sorted by uri; every folder is listed, since SFTP knows no filter.

        Links and devices are no deliveries. Raises OSError.
        """
        with _as_os_error(f"The landing zone {self._where}"):
            return not_before(self._session.run(self._complete_files()), since)

    def open(self, uri: str) -> BinaryIO:
        """The bytes of one file, fetched as they are read; raises OSError."""
        with _as_os_error(uri):
            file, size = self._session.run(self._opened(f"{self._root}/{uri}"))
        return _SftpFile(self._session, uri, size, file).buffered()

    def stage(self, folder: str, name: str, content: bytes) -> None:
        """See `WritableLandingZone`."""
        with _as_os_error(name, "written"):
            self._session.run(self._write(f"{self._root}/{STAGED}/{folder}", name, content))

    def staged(self, folder: str) -> Names:
        """See `WritableLandingZone`."""
        with suppress(FileNotFoundError), _as_os_error(folder):
            return self._session.run(self._names(f"{self._root}/{STAGED}/{folder}"))
        return []

    def place(self, folder: str, name: str, uri: str) -> None:
        """See `WritableLandingZone`; it is listed once it has settled."""
        with _as_os_error(uri, "written"):
            self._session.run(self._rename(f"{self._root}/{STAGED}/{folder}/{name}", uri))

    def discard(self, folder: str, name: str) -> None:
        """See `WritableLandingZone`."""
        with _as_os_error(name, "deleted"):
            self._session.run(self._remove(f"{self._root}/{STAGED}/{folder}/{name}"))

    def close(self) -> None:
        """Hang up; the zone may be used again, and connects anew."""
        self._session.close()

    async def _opened(self, path: str) -> tuple[asyncssh.SFTPClientFile, int]:
        file = await (await self._session.client()).open(path, "rb")
        return file, (await file.stat()).size or 0

    async def _write(self, folder: str, name: str, content: bytes) -> None:
        client = await self._session.client()
        await client.makedirs(folder, exist_ok=True)
        async with client.open(f"{folder}/{name}", "wb") as file:
            await file.write(content)
            # What a server does not offer cannot be had; OpenSSH does.
            with suppress(asyncssh.SFTPOpUnsupported):
                await file.fsync()

    async def _names(self, folder: str) -> Names:
        entries = await (await self._session.client()).readdir(folder)
        return sorted(str(e.filename) for e in entries if stat.S_ISREG(e.attrs.permissions or 0))

    async def _rename(self, path: str, uri: str) -> None:
        client = await self._session.client()
        await client.makedirs(f"{self._root}/{uri.rpartition('/')[0]}", exist_ok=True)
        await client.posix_rename(path, f"{self._root}/{uri}")

    async def _remove(self, path: str) -> None:
        await (await self._session.client()).remove(path)

    async def _complete_files(self) -> _Listing:
        client = await self._session.client()
        gate = asyncio.Semaphore(_FOLDERS_AT_ONCE)
        now = self._clock.now()
        files: _Listing = []

        async def look_into(below: str) -> None:
            try:
                async with gate:
                    entries = await client.readdir(f"{self._root}/{below}")
            except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
                if not below:
                    raise
                # Removed since the folder above was read.
                return
            folders = []
            for entry in entries:
                uri = f"{below}{entry.filename!s}"
                mode = entry.attrs.permissions or 0
                if is_partial(uri):
                    continue
                if stat.S_ISDIR(mode):
                    folders.append(look_into(f"{uri}/"))
                elif stat.S_ISREG(mode) and self._has_settled(entry.attrs, now):
                    files.append(_landed(uri, entry.attrs))
            await asyncio.gather(*folders)

        await look_into("")
        return files

    def _has_settled(self, attrs: asyncssh.SFTPAttrs, now: datetime) -> bool:
        return has_settled(datetime.fromtimestamp(attrs.mtime or 0, UTC), now, self._settling)


def _landed(uri: str, attrs: asyncssh.SFTPAttrs) -> LandedFile:
    size, modified = attrs.size or 0, attrs.mtime or 0
    return landed_file(
        uri,
        etag=f"{size:x}-{modified:x}-{attrs.mtime_ns or 0:x}",
        size=size,
        completed_at=datetime.fromtimestamp(modified, UTC),
    )


class _Session:
    """One connection with a thread of its own, for callers that know nothing of `asyncio`."""

    def __init__(self, **server: Any) -> None:
        self._server = server
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._connecting = asyncio.Lock()
        self._connection: asyncssh.SSHClientConnection | None = None
        self._client: asyncssh.SFTPClient | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work on the session's thread and wait for it; raises what it raises."""
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._connecting = asyncio.Lock()
                self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
                self._thread.start()
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def client(self) -> asyncssh.SFTPClient:
        """The client of a connection that stands."""
        async with self._connecting:
            if self._connection is None or self._client is None or self._connection.is_closed():
                self._connection = await asyncssh.connect(
                    **self._server,
                    preferred_auth="publickey",
                    # Nothing that the account of this process happens to have in ~/.ssh counts.
                    config=None,
                    agent_path=None,
                    connect_timeout=_CONNECT_SECONDS,
                    login_timeout=_CONNECT_SECONDS,
                    keepalive_interval=_KEEPALIVE_SECONDS,
                )
                self._client = await self._connection.start_sftp_client(
                    path_errors="surrogateescape"
                )
            return self._client

    def close(self) -> None:
        """Hang up and end the thread."""
        with self._starting:
            loop, thread, self._loop = self._loop, self._thread, None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._hang_up(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    async def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            await self._connection.wait_closed()
        self._connection = self._client = None


class _SftpFile(RemoteFile):
    """One open file of the server."""

    def __init__(
        self, session: _Session, uri: str, size: int, file: asyncssh.SFTPClientFile
    ) -> None:
        super().__init__(uri, size, _PIECE_BYTES)
        self._session = session
        self._file = file

    def fetch(self, position: int, length: int) -> bytes:
        """Bytes from the server; a large piece is asked for in many requests at once."""
        with _as_os_error(self.uri):
            return cast(bytes, self._session.run(self._file.read(length, position)))

    def close(self) -> None:
        """Close it on the server; a connection that is gone has done so."""
        if not self.closed:
            with suppress(OSError), _as_os_error(self.uri):
                self._session.run(self._file.close())
        super().close()


@contextmanager
def _as_os_error(what: str, done: str = "read") -> Iterator[None]:
    try:
        yield
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath) as error:
        raise FileNotFoundError(f"{what} is not there.") from error
    except asyncssh.SFTPPermissionDenied as error:
        raise PermissionError(f"{what} may not be {done}: {error}.") from error
    except asyncssh.Error as error:
        raise OSError(f"{what} cannot be {done}: {error}.") from error
