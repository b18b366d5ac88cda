"""The SFTP drop: a server into which lenders put their files, for houses that have no other.

What belongs here: the protocol's side of a landing zone that is a folder. What does not: which
files are good.

A lender logs in under its lender id with a public key of `<lenders>/<lender>.authorized_keys`
(OpenSSH's format, read at each log-in) and sees `landing/<lender>/` and nothing else; there is no
shell, no password and no forwarding. A file is written under a hidden name and renamed when the
client closes it, so that the landing zone never shows a partial one; an upload that is cut off is
removed. Overwriting a file is a new delivery, again at once. Links are neither made nor followed.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NoReturn, cast

import asyncssh

from resources.errors import SettingsError

_LENDER_ID = re.compile(r"[a-z][a-z0-9_]*")
_LOGIN_SECONDS = 30
_HIDDEN_SUFFIX = ".upload"


async def serve(
    *, host: str, port: int, landing_dir: Path, keys_dir: Path, host_key: Path
) -> asyncssh.SSHAcceptor:
    """Listen; port 0 is any free one. `keys_dir` holds `<lender>.authorized_keys`.

    One server at a time serves a landing folder: what a dead one was receiving is removed first.
    Raises OSError when the port is taken and SettingsError for a host key that cannot be read.
    """
    try:
        key = asyncssh.read_private_key(host_key)
    except (OSError, asyncssh.KeyImportError) as error:
        raise SettingsError(
            f"{host_key} is not a private key of a server ({error}); make one with `ssh-keygen -t "
            f'ed25519 -N "" -f {host_key}`.'
        ) from error
    for left in landing_dir.glob(f"*/**/.*{_HIDDEN_SUFFIX}"):
        left.unlink()
    return await asyncssh.listen(
        host,
        port,
        server_factory=lambda: _Door(keys_dir),
        server_host_keys=[key],
        sftp_factory=lambda chan: _LenderFolder(chan, landing_dir),
        config=None,
        login_timeout=_LOGIN_SECONDS,
        keepalive_interval=_LOGIN_SECONDS,
    )


def make_host_key(path: Path) -> None:
    """Make the key by which clients know the server, readable by its owner alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(asyncssh.generate_private_key("ssh-ed25519").export_private_key())


def fingerprint(host_key: Path) -> str:
    """The fingerprint of a host key, as clients show it when they ask whether to trust it."""
    return asyncssh.read_private_key(host_key).get_fingerprint()


class _Door(asyncssh.SSHServer):
    """Who may come in."""

    def __init__(self, keys_dir: Path) -> None:
        self._keys_dir = keys_dir
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        # Without a list of keys no key is accepted. The name becomes a path, hence the form.
        keys = self._keys_dir / f"{username}.authorized_keys"
        if self._connection and _LENDER_ID.fullmatch(username) and keys.is_file():
            self._connection.set_authorized_keys(str(keys))
        return True


class _Upload:
    """A file being written under a hidden name."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.hidden = target.with_name(f".{target.name}.{os.urandom(6).hex()}{_HIDDEN_SUFFIX}")
        self.file: BinaryIO = self.hidden.open("xb+", buffering=0)

    def put_in_place(self) -> None:
        """Make it durable, then visible."""
        os.fsync(self.file.fileno())
        self.file.close()
        self.hidden.replace(self.target)
        folder = os.open(self.target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def discard(self) -> None:
        """Forget it."""
        self.file.close()
        self.hidden.unlink(missing_ok=True)


class _LenderFolder(asyncssh.SFTPServer):
    """What a lender may do in its folder."""

    def __init__(self, chan: asyncssh.SSHServerChannel[bytes], landing_dir: Path) -> None:
        folder = landing_dir / chan.get_extra_info("username")
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(chan, os.fsencode(folder))

    def map_path(self, path: bytes) -> bytes:
        """The place of a path below the lender's folder; refuses odd names and links."""
        try:
            is_plain = path.decode().isprintable()
        except UnicodeDecodeError:
            is_plain = False
        mapped = super().map_path(path)
        if not is_plain:
            _refuse("a name is printable UTF-8")
        if os.path.realpath(mapped) != mapped.rstrip(b"/"):
            _refuse("links are not followed")
        return mapped

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        """A file for reading, or a new one that replaces what is there when it is closed."""
        if not pflags & asyncssh.FXF_WRITE:
            return super().open(path, pflags, attrs)
        target = Path(os.fsdecode(self.map_path(path)))
        if target.is_dir():
            _refuse(f"{target.name} is a folder")
        if target.exists():
            if pflags & asyncssh.FXF_EXCL:
                raise asyncssh.SFTPFailure(f"{target.name} is there already.")
            if not pflags & asyncssh.FXF_TRUNC:
                _refuse(f"{target.name} is complete; send it anew as a whole")
        return _Upload(target)

    def open56(
        self, path: bytes, desired_access: int, flags: int, attrs: asyncssh.SFTPAttrs
    ) -> object:
        """Version 3 of the protocol is what everybody speaks, and all that is spoken here."""
        raise asyncssh.SFTPOpUnsupported("Use version 3 of the protocol.")

    def read(self, file_obj: object, offset: int, size: int) -> bytes:
        """Bytes of an open file."""
        return cast(bytes, super().read(_plain(file_obj), offset, size))

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        """Write into an upload."""
        return cast(int, super().write(_plain(file_obj), offset, data))

    def fstat(self, file_obj: object) -> os.stat_result:
        """Attributes of an open file."""
        return os.fstat(_plain(file_obj).fileno())

    def fsync(self, file_obj: object) -> None:
        """Make what was written durable."""
        os.fsync(_plain(file_obj).fileno())

    def close(self, file_obj: object) -> None:
        """Close a file; an upload appears, unless the session broke off."""
        if not isinstance(file_obj, _Upload):
            super().close(file_obj)
        elif sys.exc_info()[0] is None:
            file_obj.put_in_place()
        else:
            # The handler closes what is open while it handles the end of the session: nobody
            # said that this file is complete.
            file_obj.discard()

    def setstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        """Times are set as asked, mode and owner stay ours, a size cannot be changed."""
        _set_times(os.fsdecode(self.map_path(path)), attrs)

    def lsetstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        """As `setstat`: there are no links."""
        self.setstat(path, attrs)

    def fsetstat(self, file_obj: object, attrs: asyncssh.SFTPAttrs) -> None:
        """As `setstat`, of an open file."""
        _set_times(_plain(file_obj).fileno(), attrs)

    def symlink(self, oldpath: bytes, newpath: bytes) -> None:
        """Refused."""
        _refuse("links are not made")

    def link(self, oldpath: bytes, newpath: bytes) -> None:
        """Refused."""
        _refuse("links are not made")

    def readlink(self, path: bytes) -> bytes:
        """Refused."""
        _refuse("there are no links")


def _plain(file_obj: object) -> BinaryIO:
    return file_obj.file if isinstance(file_obj, _Upload) else cast(BinaryIO, file_obj)


def _set_times(where: str | int, attrs: asyncssh.SFTPAttrs) -> None:
    if attrs.size is not None:
        _refuse("a file is written as a whole")
    if attrs.atime is not None and attrs.mtime is not None:
        with suppress(OverflowError):
            os.utime(where, (attrs.atime, attrs.mtime))


def _refuse(why: str) -> NoReturn:
    raise asyncssh.SFTPPermissionDenied(f"Refused: {why}.")
