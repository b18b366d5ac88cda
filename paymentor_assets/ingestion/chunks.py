"""Files of one feed, cut into chunks that fit in memory.

Small files share a chunk; a file that is larger than a chunk fills several, alone. What is known
of a file only at its end (is it complete, do too many rows break the contract?) is decided with
its last chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import duckdb
import pyarrow as pa

from paymentor_assets.ingestion.intake import IncomingFile
from paymentor_assets.ingestion.parsers.interface import Parser, Source
from resources.errors import RejectedFile, SettingsError

#: Bytes of parsed records that are worked on together.
CHUNK_BYTES = 16 << 20
#: What a row costs that holds next to nothing: its faults, their sentences, its place.
MIN_ROW_BYTES = 160

Opener = Callable[[IncomingFile], AbstractContextManager[BinaryIO]]
Batch = Mapping[str, pa.RecordBatch]


@dataclass
class Chunk:
    """Whole files, or one piece of a single file."""

    files: list[IncomingFile]
    batches: list[Batch] = field(default_factory=list)
    is_first: bool = True
    is_last: bool = True

    @property
    def is_whole(self) -> bool:
        """Whether every file of the chunk begins and ends in it."""
        return self.is_first and self.is_last

    def register(self, con: duckdb.DuckDBPyConnection, parser: Parser) -> None:
        """Show the batches to DuckDB as the parser's scratch tables."""
        for name, schema in parser.tables().items():
            batches = [b[name] for b in self.batches if name in b]
            con.register(name, pa.Table.from_batches(batches, schema))


def read_chunks(
    parser: Parser, files: Sequence[IncomingFile], opened: Opener, scratch: Path
) -> Iterator[Chunk]:
    """The chunks of the files, in order; `scratch` is the run's private folder.

    A file that is refused while it is read, or that cannot be read, is decided here; it appears in
    no chunk, unless a piece of it did already: then its last chunk is empty.
    """
    gathered = Chunk([])
    gathered_bytes = 0
    for file in files:
        own = Chunk([file])
        own_bytes = 0
        try:
            with opened(file) as stream:
                for batch in parser.read(Source(stream, file.file_index, file.name, scratch)):
                    own.batches.append(batch)
                    own_bytes += _size(batch)
                    if gathered.files and gathered_bytes + own_bytes >= CHUNK_BYTES:
                        yield gathered
                        gathered, gathered_bytes = Chunk([]), 0
                    if own_bytes >= CHUNK_BYTES:
                        own.is_last = False
                        yield own
                        own, own_bytes = Chunk([file], is_first=False), 0
        except RejectedFile as error:
            file.refuse(error)
            own.batches = []
        except (OSError, ValueError, SettingsError) as error:
            file.leave(f"could not be read ({error})")
            own.batches = []
        if not own.is_first:
            yield own
        elif file.status is None:
            gathered.files.append(file)
            gathered.batches += own.batches
            gathered_bytes += own_bytes
    if gathered.files:
        yield gathered


def _size(batch: Batch) -> int:
    return sum(max(rows.nbytes, MIN_ROW_BYTES * rows.num_rows) for rows in batch.values())
