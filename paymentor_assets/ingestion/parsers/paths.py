"""Text columns from parsed documents, by JSON path and column by column.

What belongs here: paths, alternatives of a path, and how a value reads as text. What does not:
where the documents come from (JSON lines, XML), and what a good value is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import orjson
import pyarrow as pa

from paymentor_assets.ingestion.contracts.model import ColumnContract

Step = str | int
_STEP = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+)\]")


def steps_of(path: str) -> tuple[Step, ...]:
    """`$.a.b[0].c` as ("a", "b", 0, "c"); raises ValueError for any other form of path."""
    body = path.removeprefix("$")
    found = _STEP.findall(body)
    if path == body or not found or "".join(m.group() for m in _STEP.finditer(body)) != body:
        raise ValueError(f"{path!r} is not a path of members and positions ($.a.b[0])")
    return tuple(name or int(position) for name, position in found)


class PathColumns:
    """The columns of one kind of record.

    A column is read by its paths in order; the first that leads to text decides. Numbers, truth
    values and nested documents read as their JSON text; what is absent or null is null.
    """

    def __init__(self, columns: Sequence[ColumnContract]) -> None:
        self.names = [column.name for column in columns]
        self._paths = [[steps_of(path) for path in column.paths] for column in columns]

    def read(self, documents: Sequence[Any]) -> list[list[Any]]:
        """One list a column, one value a document, in order; `texts` makes arrays of them."""
        reached: dict[tuple[Step, ...], Sequence[Any]] = {(): documents}
        return [self._first(reached, paths) for paths in self._paths]

    def _first(
        self, reached: dict[tuple[Step, ...], Sequence[Any]], paths: list[tuple[Step, ...]]
    ) -> list[Any]:
        values = _values(reached, paths[0])
        for path in paths[1:]:
            if None not in values and "" not in values:
                break
            others = _values(reached, path)
            values = [o if v is None or v == "" else v for v, o in zip(values, others, strict=True)]
        return values


def texts(columns: Sequence[list[Any]]) -> list[pa.Array]:
    """The columns as string arrays of one length.

    They are made in one go and cut afterwards: each call of `pa.array` costs as much as a hundred
    values.
    """
    values = [value for column in columns for value in column]
    try:
        whole = pa.array(values, pa.string())
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        whole = pa.array([_text(value) for value in values], pa.string())
    length = len(columns[0]) if columns else 0
    return [whole.slice(i * length, length) for i in range(len(columns))]


def _values(reached: dict[tuple[Step, ...], Sequence[Any]], path: tuple[Step, ...]) -> list[Any]:
    enclosing, step = path[:-1], path[-1]
    if enclosing not in reached:
        reached[enclosing] = _values(reached, enclosing)
    containers = reached[enclosing]
    try:
        # Nearly every document has every member; asking each first would double the cost.
        return [container[step] for container in containers]
    except (KeyError, TypeError, IndexError):
        return [_member(container, step) for container in containers]


def _member(container: Any, step: Step) -> Any:
    if isinstance(step, str):
        return container.get(step) if isinstance(container, dict) else None
    return container[step] if isinstance(container, list) and step < len(container) else None


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()
