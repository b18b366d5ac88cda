"""A feed contract as a document of the Open Data Contract Standard that people like to read.

`odcs.read_contract` of what is written here gives the same contract again.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import yaml

from paymentor_assets.ingestion.contracts.date_patterns import pattern_of
from paymentor_assets.ingestion.contracts.model import (
    ColumnContract,
    FeedContract,
    RecordContract,
)
from paymentor_assets.ingestion.contracts.odcs_words import (
    API_VERSION,
    ENCODINGS,
    ENGINE,
    PERSONAL,
    TYPES,
)
from resources.errors import ContractError

_TYPE_WORDS = {column_type: words for words, column_type in TYPES.items()}
_ENCODING_WORDS = {encoding: word for word, encoding in ENCODINGS.items()}
_WIDTH = 100


class _Inline(dict[str, Any]):
    """A mapping that is written on one line."""


class _InlineList(list[Any]):
    """A list that is written on one line, or on as few as it needs."""


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Items of lists are indented, as people write them."""
        super().increase_indent(flow, False)


_Dumper.add_representer(
    _Inline, lambda d, data: d.represent_mapping("tag:yaml.org,2002:map", data, flow_style=True)
)
_Dumper.add_representer(
    _InlineList,
    lambda d, data: d.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True),
)


def write_contract(contract: FeedContract, *, lender_id: str | None = None) -> str:
    """The contract as YAML; `lender_id` makes it that of one lender.

    Raises ContractError for what the standard's document cannot say: a bound or a pattern on a
    column whose type has none, a date form without pattern letters.
    """
    head = {
        "apiVersion": API_VERSION,
        "kind": "DataContract",
        "id": f"{lender_id}.{contract.feed}" if lender_id else contract.feed,
        "name": contract.feed,
        **({"tenant": lender_id} if lender_id else {}),
        "version": "1.0.0",
        "status": "active",
        "description": {"purpose": contract.description},
        "servers": [_server(contract)],
        **_sla(contract),
        **_custom(
            naming=contract.naming if contract.naming != "dated" else None,
            mayBeEmpty=contract.may_be_empty or None,
            trailer=contract.trailer if contract.trailer != "checked" else None,
        ),
    }
    tables = [_table(record) for record in contract.records]
    if bounds := _file_bounds(contract):
        tables[0]["quality"] = [*bounds, *tables[0].get("quality", [])]
    # The columns come last: they are long, and everything else should be seen at once.
    ordered = [t | {"properties": t.pop("properties")} for t in tables]
    return f"{_yaml(head)}\n{_yaml({'schema': ordered})}"


def _yaml(content: dict[str, Any]) -> str:
    return str(
        yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
    )


def _server(contract: FeedContract) -> dict[str, Any]:
    name = f"{contract.feed}_{{date}}*" if contract.naming == "dated" else "*"
    encryption = contract.encryption
    return {
        "server": "landing_zone",
        "type": "local",
        "path": f"landing/{{lender}}/{contract.feed}/{name}",
        "format": contract.format,
        **(
            {"encoding": _ENCODING_WORDS[contract.encoding]} if contract.encoding != "utf-8" else {}
        ),
        **_custom(
            delimiter=contract.delimiter if contract.delimiter != "," else None,
            compression=contract.compression if contract.compression != "none" else None,
            encryption=encryption.type if encryption else None,
            signed=False if encryption and not encryption.must_be_signed else None,
        ),
    }


def _sla(contract: FeedContract) -> dict[str, Any]:
    if contract.max_age_days is None:
        return {}
    latency = _Inline(property="latency", value=contract.max_age_days, unit="d")
    return {"slaProperties": [latency]}


def _file_bounds(contract: FeedContract) -> list[dict[str, Any]]:
    low, high, share = contract.min_rows, contract.max_rows, contract.max_rejected_share
    checks: list[dict[str, Any]] = []
    if low is not None and low == high:
        checks.append(_Inline(metric="rowCount", mustBe=low))
    elif low is not None and high is not None:
        checks.append(_Inline(metric="rowCount", mustBeBetween=[low, high]))
    elif low is not None:
        checks.append(_Inline(metric="rowCount", mustBeGreaterOrEqualTo=low))
    elif high is not None:
        checks.append(_Inline(metric="rowCount", mustBeLessOrEqualTo=high))
    if share is not None:
        told = _Inline(maxRejectedShare=share)
        checks.append(_Inline(type="custom", engine=ENGINE, implementation=told))
    return checks


def _table(record: RecordContract) -> dict[str, Any]:
    rules = [
        {
            "name": rule.reason_code,
            "description": rule.message,
            "type": "custom",
            "engine": ENGINE,
            "implementation": {"column": rule.column, "violatedWhen": rule.violated_when},
        }
        for rule in record.rules
    ]
    return {
        "name": record.table,
        "description": record.description,
        **_custom(businessDate=record.business_date),
        **({"quality": rules} if rules else {}),
        "properties": [_property(column, record.key) for column in record.columns],
    }


def _property(column: ColumnContract, key: tuple[str, ...]) -> dict[str, Any]:
    logical, physical = _TYPE_WORDS[column.type]
    stored = column.stored_name
    position = key.index(stored) + 1 if stored in key else None
    fields: dict[str, Any] = {
        "name": column.name,
        "physicalName": column.delivered_as,
        "description": column.description,
        "logicalType": logical,
        "physicalType": physical,
        "required": column.required or None,
        "primaryKey": True if position else None,
        "primaryKeyPosition": position,
        "classification": PERSONAL if column.pii else None,
        "tags": _InlineList([column.pii]) if column.pii else None,
        "logicalTypeOptions": _options(column) or None,
        "enum": _InlineList(_Inline(value=v) for v in column.enum) if column.enum else None,
        "transformLogic": column.derived,
        **_custom(
            jsonPaths=list(column.paths) or None,
            of=column.of if column.of != "record" else None,
            values=column.values if column.values != "one" else None,
            notAfter=column.not_after,
            region=column.region,
        ),
    }
    return {word: value for word, value in fields.items() if value is not None}


def _options(column: ColumnContract) -> dict[str, Any]:
    is_text = column.type == "text"
    is_instant = column.type in ("date", "local_date", "timestamp")
    is_number = column.type in ("decimal", "double", "integer")
    bounds = {"minimum": column.min, "exclusiveMinimum": column.above, "maximum": column.max}
    given = {word: bound for word, bound in bounds.items() if bound is not None}
    for word, value, may_be_said in (
        ("pattern", column.pattern, is_text),
        ("format", column.format, is_instant),
        ("a bound", given or None, is_number),
    ):
        if value is not None and not may_be_said:
            raise ContractError(f"Column {column.name}: {word} does not apply to {column.type}.")
    options = _Inline({word: _number(bound) for word, bound in given.items()})
    if column.pattern is not None:
        options["pattern"] = column.pattern
    if column.format is not None:
        try:
            options["format"] = pattern_of(column.format)
        except ValueError as error:
            raise ContractError(f"Column {column.name}: {error}.") from error
    return options


def _number(bound: Decimal) -> int | float:
    return int(bound) if bound == bound.to_integral_value() else float(bound)


def _custom(**values: Any) -> dict[str, Any]:
    """`customProperties` of the values that are given; nothing when there is none."""
    given = [_Inline(property=p, value=v) for p, v in values.items() if v is not None]
    return {"customProperties": given} if given else {}
