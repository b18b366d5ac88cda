"""Which words of the Open Data Contract Standard (v3.2) ingestion reads, and what they mean.

A word that nobody reads would be a promise that nobody keeps, or a misspelt one that silently
does nothing; so both are faults. Words that only describe (owners, support, prices) are welcome.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from paymentor_assets.ingestion.contracts.model import ColumnType

API_VERSION = "v3.2.0"
#: Column types by (logicalType, physicalType).
TYPES: Mapping[tuple[str, str | None], ColumnType] = {
    ("string", None): "text",
    ("date", None): "date",
    ("date", "date or timestamp"): "local_date",
    ("timestamp", None): "timestamp",
    ("number", "decimal(18,2)"): "decimal",
    ("number", "double"): "double",
    ("integer", None): "integer",
    ("boolean", None): "boolean",
}
ENCODINGS = {"UTF-8": "utf-8", "UTF-16": "utf-16", "ISO-8859-1": "latin-1"}
#: `classification` of a column whose values become tokens; the kind of value is among its tags.
PERSONAL = "personal"
#: `engine` of the quality checks that are this platform's own.
ENGINE = "paymentor"
#: Words of `logicalTypeOptions` by logicalType, and their fields of the model.
OPTIONS: Mapping[str, Mapping[str, str]] = {
    "string": {"pattern": "pattern"},
    "date": {"format": "format"},
    "timestamp": {"format": "format"},
    "number": {"minimum": "min", "exclusiveMinimum": "above", "maximum": "max"},
    "integer": {"minimum": "min", "exclusiveMinimum": "above", "maximum": "max"},
}
#: `customProperties` by place, and their fields of the model.
CUSTOM: Mapping[str, Mapping[str, str]] = {
    "contract": {"naming": "naming", "mayBeEmpty": "may_be_empty", "trailer": "trailer"},
    "server": {
        "delimiter": "delimiter",
        "compression": "compression",
        "encryption": "encryption",
        "signed": "signed",
    },
    "schema": {"businessDate": "business_date"},
    "property": {
        "jsonPaths": "paths",
        "of": "of",
        "values": "values",
        "notAfter": "not_after",
        "region": "region",
    },
}

_DESCRIBING = frozenset(
    {
        *("id", "tags", "authoritativeDefinitions", "businessName", "synonyms", "context"),
        *("examples", "dimension", "severity", "businessImpact", "dataGranularityDescription"),
        *("criticalDataElement", "transformDescription"),
    }
)
_PLACES: Mapping[str, frozenset[str]] = {
    kind: frozenset(words.split())
    for kind, words in {
        "contract": "apiVersion kind name version status description servers schema slaProperties "
        "customProperties tenant dataProduct domain support price team roles contractCreatedTs",
        "description": "purpose usage limitations",
        "server": "server type path location endpointUrl environment roles description format "
        "encoding customProperties",
        "schema": "name physicalName physicalType logicalType description properties quality "
        "customProperties",
        "property": "name physicalName logicalType physicalType description required primaryKey "
        "primaryKeyPosition classification logicalTypeOptions enum transformLogic "
        "customProperties",
        "quality": "type name description metric unit mustBe mustBeBetween mustBeGreaterOrEqualTo "
        "mustBeLessOrEqualTo engine implementation",
        "slaProperty": "property value unit element driver description",
    }.items()
}
#: Words of the internal model as the document writes them, for sentences about faults.
_WRITTEN = {
    "records": "schema",
    "columns": "property",
    "properties": "property",
    "key": "primaryKey",
    "table": "name",
    "feed": "name",
    "min_rows": "rowCount",
    "max_rows": "rowCount",
    "max_rejected_share": "maxRejectedShare",
    "max_age_days": "latency",
    "may_be_empty": "mayBeEmpty",
    "not_after": "notAfter",
    "paths": "jsonPaths",
    "derived": "transformLogic",
    "delivered_as": "physicalName",
    "min": "minimum",
    "above": "exclusiveMinimum",
    "max": "maximum",
    "rules": "quality",
    "violated_when": "violatedWhen",
}
_NAMES = ("name", "table", "property", "reason_code")


def unread_words(content: Mapping[str, Any]) -> list[str]:
    """A sentence for every word that ingestion does not read; `content` fits the standard."""
    faults = [*_unread(content, "contract", "the contract")]
    faults += _unread(content.get("description") or {}, "description", "description")
    for server in content.get("servers") or ():
        faults += _unread(server, "server", "server")
    for sla in content.get("slaProperties") or ():
        faults += _unread(sla, "slaProperty", "slaProperties")
    for table in content.get("schema") or ():
        place = table_place(table.get("name"))
        faults += _unread(table, "schema", place)
        for check in table.get("quality") or ():
            faults += _unread(check, "quality", f"{place}, quality")
        for column in table.get("properties") or ():
            faults += _unread(column, "property", column_place(place, column.get("name")))
    return faults


def table_place(name: object) -> str:
    """How sentences call a schema object."""
    return f"schema {name or 'without a name'}"


def column_place(table: str, name: object) -> str:
    """How sentences call a property of it."""
    return f"{table}, property {name or 'without a name'}"


def place_of(content: object, location: Sequence[int | str]) -> str:
    """A pydantic location in words: items of lists by their names, where they have one."""
    words: list[str] = []
    for step in location:
        inner = content[step] if _has(content, step) else None  # type: ignore[index]
        if isinstance(step, str):
            words.append(_WRITTEN.get(step, step))
        else:
            named = inner if isinstance(inner, dict) else {}
            name = next((named[n] for n in _NAMES if isinstance(named.get(n), str)), step + 1)
            words[-1:] = [f"{words[-1] if words else 'item'} {name}"]
        content = inner
    return ", ".join(words) or "the contract"


def _has(content: object, step: int | str) -> bool:
    if isinstance(content, dict):
        return step in content
    return isinstance(content, list | tuple) and isinstance(step, int) and step < len(content)


def _unread(content: Mapping[str, Any], kind: str, place: str) -> Iterator[str]:
    for word in content:
        if word not in _PLACES[kind] | _DESCRIBING:
            yield (
                f"{place}: {word!r} is not a word that is read here; correct or remove it (read "
                f"are {', '.join(sorted(_PLACES[kind]))})"
            )
