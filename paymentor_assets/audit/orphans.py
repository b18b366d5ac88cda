"""Files under a table that no snapshot names: left by expiry, by dead runs, by failed commits."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, timedelta

from pyarrow import fs
from pyiceberg.table import Table

from resources.clock import Clock
from resources.lakehouse import Lakehouse

#: A commit under way has files that no snapshot names yet, but none of this age.
SAFE_AGE = timedelta(days=3)


def remove_orphans(
    lake: Lakehouse, name: str, clock: Clock, safe_age: timedelta = SAFE_AGE
) -> tuple[int, int]:
    """Delete files under the table's location that nothing names; returns files and bytes.

    Only files older than `safe_age` are deleted.
    """
    table = lake.load(name)
    files, root = fs.FileSystem.from_uri(table.location())
    found = files.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True))
    named = {_path(location) for location in _named_files(table)}
    oldest = clock.now() - safe_age
    removed = freed = 0
    for info in found:
        if info.type != fs.FileType.File or info.path in named:
            continue
        if info.mtime is None or info.mtime.astimezone(UTC) >= oldest:
            continue
        files.delete_file(info.path)
        removed += 1
        freed += info.size
    return removed, freed


def _named_files(table: Table) -> Iterable[str]:
    yield table.metadata_location
    yield from (entry.metadata_file for entry in table.metadata.metadata_log)
    for snapshot in table.snapshots():
        yield snapshot.manifest_list
        for manifest in snapshot.manifests(table.io):
            yield manifest.manifest_path
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
                yield entry.data_file.file_path


def _path(location: str) -> str:
    return str(fs.FileSystem.from_uri(location)[1]) if "://" in location else location
