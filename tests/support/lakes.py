"""A lakehouse in a folder of the test, opened as often as a test likes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from resources.lakehouse import Lakehouse

OpenLake = Callable[..., Lakehouse]


@contextmanager
def lakes_in(folder: Path) -> Iterator[OpenLake]:
    """Gives what opens the folder's lakehouse anew, as another process would; closes them all.

    What is opened is a Lakehouse, or the subclass that is asked for.
    """
    opened: list[Lakehouse] = []

    def open_one(kind: type[Lakehouse] = Lakehouse) -> Lakehouse:
        catalog = {
            "type": "sql",
            "uri": f"sqlite:///{folder}/catalog.db",
            "warehouse": f"file://{folder}",
        }
        opened.append(kind(catalog))
        return opened[-1]

    yield open_one
    for lake in opened:
        lake.catalog.close()
