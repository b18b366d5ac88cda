"""The plain bytes of a delivered file: decompressed and in UTF-8, with the delivered ones hashed.

Whatever a hostile archive holds, nothing is ever extracted by its name, and no file grows beyond
what its size can honestly mean. An archive or encoding at fault refuses the file as a whole.
"""

from __future__ import annotations

import codecs
import errno
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from paymentor_assets.ingestion.contracts.model import FeedContract
from resources.errors import RejectedFile

_BLOCK = 1 << 20
#: Text compresses 5 to 50 times, a bomb a thousand times. The share is judged once enough came out
#: to tell a small, very regular file from a bomb.
_MAX_EXPANSION = 250
_TELLING_BYTES = 64 << 20
_MAX_CONTENTS = 1 << 20
#: Of the others zipfile expands as much at once as is in them.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@contextmanager
def plain_bytes(
    delivered: BinaryIO,
    contract: FeedContract,
    *,
    name: str,
    size: int,
    file_id: str,
    scratch: Path,
    decrypt: Callable[[BinaryIO, Path], None],
) -> Iterator[BinaryIO]:
    """A stream of the plain bytes of a file whose delivered bytes are `delivered`.

    `size` and `file_id` (SHA-256) are those of the delivered bytes; `scratch` is the run's private
    folder, used where a format must be read from its end. `decrypt` writes the plaintext of an
    encrypted feed into a file.

    Raises RejectedFile (BAD_ARCHIVE, ARCHIVE_BOMB, BAD_ENCODING, or what `decrypt` raises), also
    while the stream is being read, and OSError when the bytes are not those of `file_id`.
    """
    with ExitStack() as stack:
        stack.callback(delivered.close)
        hashed = _Hashed(delivered)
        stream = cast(BinaryIO, hashed)
        if contract.encryption is not None:
            stream = stack.enter_context(
                _spooled(
                    scratch / f"{file_id}.plain", lambda path: decrypt(cast(BinaryIO, hashed), path)
                )
            )
        if contract.compression == "gzip":
            stream = cast(BinaryIO, _Guarded(gzip.GzipFile(fileobj=stream, mode="rb"), name, size))
        elif contract.compression == "zip":
            archive = stack.enter_context(
                _spooled(scratch / f"{file_id}.zip", lambda path: _copy(stream, path))
            )
            stream = cast(BinaryIO, _Guarded(_only_member(archive, name, stack), name, size))
        if contract.encoding != "utf-8":
            stream = cast(BinaryIO, _Recoded(stream, contract.encoding, name))
        yield stream
        hashed.drain()
        if hashed.digest != file_id:
            raise OSError(f"{name} changed while it was being read")


class _Stream(io.RawIOBase):
    """A forward-only stream over blocks; `_next` gives them, an empty one is the end."""

    _block = b""
    _at = 0

    def readable(self) -> bool:
        return True

    def _next(self) -> bytes:
        raise io.UnsupportedOperation("_next")

    def read(self, size: int = -1) -> bytes:
        if size is None or size < 0:
            blocks = [self._block[self._at :]]
            self._block, self._at = b"", 0
            while block := self._next():
                blocks.append(block)
            return b"".join(blocks)
        if self._at >= len(self._block):
            self._block, self._at = self._next(), 0
        piece = self._block[self._at : self._at + size]
        self._at += len(piece)
        return piece

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        block = self.read(len(buffer))
        buffer[: len(block)] = block
        return len(block)


class _Hashed(_Stream):
    """The delivered bytes, hashed on their way."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._hash = sha256()

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def _next(self) -> bytes:
        return self.read(_BLOCK)

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self._hash.update(block)
        return block

    def drain(self) -> None:
        while self.read(_BLOCK):
            pass


class _Guarded(_Stream):
    """What comes out of an archive, with its faults as refusals."""

    def __init__(self, stream: BinaryIO | gzip.GzipFile, name: str, size: int) -> None:
        self._stream = stream
        self._name = name
        self._limit = max(_TELLING_BYTES, size * _MAX_EXPANSION)
        self._out = 0

    def _next(self) -> bytes:
        try:
            block = self._stream.read(_BLOCK)
        except (
            gzip.BadGzipFile,
            zipfile.BadZipFile,
            EOFError,
            zlib.error,
            NotImplementedError,  # what zipfile raises for a compression it does not know
        ) as error:
            raise RejectedFile(
                "BAD_ARCHIVE",
                f"{self._name} cannot be decompressed ({error}); deliver it again, complete.",
            ) from error
        self._out += len(block)
        if self._out > self._limit:
            raise RejectedFile(
                "ARCHIVE_BOMB",
                f"{self._name} grows to more than {_MAX_EXPANSION} times its size when it is "
                "decompressed, which no file of rows does; deliver it uncompressed.",
            )
        return block


class _Recoded(_Stream):
    """Text of another encoding as UTF-8."""

    def __init__(self, stream: BinaryIO, encoding: str, name: str) -> None:
        self._stream = stream
        self._encoding = encoding
        self._name = name
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._is_done = False

    def _next(self) -> bytes:
        text = ""
        while not text and not self._is_done:
            block = self._stream.read(_BLOCK)
            self._is_done = not block
            try:
                text = self._decoder.decode(block, final=self._is_done)
            except UnicodeError as error:
                raise RejectedFile(
                    "BAD_ENCODING",
                    f"{self._name} is not {self._encoding} text, as the contract says it is "
                    f"({error.reason if isinstance(error, UnicodeDecodeError) else error}); "
                    "deliver it so, or correct the contract.",
                ) from error
        return text.encode()


@contextmanager
def _spooled(path: Path, fill: Callable[[Path], None]) -> Iterator[BinaryIO]:
    """A file in the scratch, filled, opened, and gone afterwards."""
    try:
        fill(path)
        with path.open("rb") as stream:
            yield stream
    finally:
        path.unlink(missing_ok=True)


def _copy(stream: BinaryIO, path: Path) -> None:
    with path.open("xb") as file:
        while block := stream.read(_BLOCK):
            file.write(block)


class _Archive(io.BufferedReader):
    """An archive whose table of contents, which is read at one go, is no longer than one should."""

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > _MAX_CONTENTS:
            raise zipfile.BadZipFile(f"its table of contents has {size} bytes")
        return super().read(size)


def _only_member(archive: BinaryIO, name: str, stack: ExitStack) -> BinaryIO:
    try:
        capped = stack.enter_context(_Archive(cast(io.RawIOBase, archive)))
        opened = stack.enter_context(zipfile.ZipFile(capped))
        members = [m for m in opened.infolist() if not m.is_dir()]
        unsafe = [m.filename for m in members if _is_unsafe(m.filename)]
        if what := (
            f"names {unsafe[0][:80]!r}, a place outside itself"
            if unsafe
            else f"holds {len(members)} files instead of one"
            if len(members) != 1
            else "is locked with a password"
            if members[0].flag_bits & 0x1
            else f"is compressed by method {members[0].compress_type} instead of deflate"
            if members[0].compress_type not in _METHODS
            else ""
        ):
            raise RejectedFile(
                "BAD_ARCHIVE", f"{name}: the archive {what}; deliver one plain file in it."
            )
        member: BinaryIO = stack.enter_context(opened.open(members[0]))  # type: ignore[assignment]
        return member
    except (
        zipfile.BadZipFile,
        EOFError,
        zlib.error,
        NotImplementedError,
        ValueError,
        OSError,
    ) as error:
        # A place before the beginning of the file; any other error is one of this machine.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise RejectedFile(
            "BAD_ARCHIVE", f"{name} is not a sound zip archive ({error}); deliver it again."
        ) from error


def _is_unsafe(member: str) -> bool:
    path = PurePosixPath(member.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or ":" in member or "\0" in member
