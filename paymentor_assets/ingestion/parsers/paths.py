"""Text columns from parsed documents, by JSON path and column by column.

What belongs here: paths, alternatives of a path, and how a value reads as text. What does not:
where the documents come from (JSON lines, XML), and what a good value is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

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
    values and nested documents read as their JSON text; what is absent, null or blank is null.
    """

    def __init__(self, columns: Sequence[ColumnContract]) -> None:
        self.names = [column.name for column in columns]
        self._paths = [[steps_of(path) for path in column.paths] for column in columns]
        first = [paths[0] for paths in self._paths]
        self._getters = [itemgetter(path[0]) for path in first if len(path) == 1]
        self._is_flat = len(self._getters) == len(first)

    def texts(self, documents: Sequence[Any]) -> list[pa.Array]:
        """The values of the documents, one string array a column; see `trimmed` for what is left
        to do. What is no object reads as nulls.

        One array is made of all columns and cut: a call of `pa.array` costs as much as a hundred
        values.
        """
        by_column = self._flat(documents) if self._is_flat else None
        if by_column is None:
            reached: dict[tuple[Step, ...], Sequence[Any]] = {(): documents}
            by_column = [v for paths in self._paths for v in self._first(reached, paths)]
        try:
            whole = pa.array(by_column, pa.string())
        except (pa.ArrowTypeError, pa.ArrowInvalid):
            whole = pa.array([_text(value) for value in by_column], pa.string())
        length = len(documents)
        return [whole.slice(i * length, length) for i in range(len(self.names))]

    def _flat(self, documents: Sequence[Any]) -> list[Any] | None:
        """Nearly every document has every member under its first name; None where one has not."""
        values: list[Any] = []
        try:
            for get in self._getters:
                values.extend(map(get, documents))
        except (KeyError, TypeError, IndexError):
            return None
        return values

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


def _values(reached: dict[tuple[Step, ...], Sequence[Any]], path: tuple[Step, ...]) -> list[Any]:
    enclosing, step = path[:-1], path[-1]
    if enclosing not in reached:
        reached[enclosing] = _values(reached, enclosing)
    containers = reached[enclosing]
    try:
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


def trimmed(values: pa.StringArray) -> pa.StringArray:
    """Without spaces at the ends; blank is null. Hardly any value needs it, so that is asked
    first."""
    padded = pc.or_(pc.starts_with(values, " "), pc.ends_with(values, " "))
    if pc.any(padded).as_py():
        values = pc.utf8_trim(values, " ")
    lengths = pc.binary_length(values)
    if pc.min(lengths).as_py() == 0:
        values = pc.if_else(pc.equal(lengths, 0), None, values)
    return values
