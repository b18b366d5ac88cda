"""A file on another machine, read by position: what S3 and SFTP have in common as streams.

It is seekable, since Parquet and zip are read from their ends, and holds one buffer of the file.
"""

from __future__ import annotations

import io
from abc import abstractmethod
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class RemoteFile(io.RawIOBase):
    """Read-only bytes of known size; a subclass fetches them in pieces of `piece_bytes` or more."""

    def __init__(self, uri: str, size: int, piece_bytes: int) -> None:
        super().__init__()
        self.uri = uri
        self._size = size
        self._piece_bytes = piece_bytes
        self._position = 0

    @abstractmethod
    def fetch(self, position: int, length: int) -> bytes:
        """Up to `length` bytes from `position`, at least one; raises OSError."""

    def buffered(self) -> BinaryIO:
        """The same file with a buffer of one piece."""
        return io.BufferedReader(self, self._piece_bytes)

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """The position in the file."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position; nothing is fetched until something is read there."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError(f"{self.uri}: {start + offset} is no position in a file.")
        self._position = start + offset
        return self._position

    def readall(self) -> bytes:
        """The rest of the file, in pieces larger than the 8 KiB that `io` would ask for."""
        return b"".join(iter(lambda: self.read(self._piece_bytes) or b"", b""))

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill the buffer as far as one fetch does; 0 at the end of the file."""
        target = memoryview(buffer).cast("B")
        wanted = min(len(target), self._size - self._position)
        if wanted <= 0:
            return 0
        piece = self.fetch(self._position, wanted)
        if not piece:
            raise OSError(
                f"{self.uri} ends at byte {self._position} of {self._size}; it was cut while it "
                "was being read."
            )
        target[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)
