"""A feed contract from its document, written in the Open Data Contract Standard (v3.2).

What belongs here: reading a document, and saying every fault in it as a sentence. What does not:
writing one (`odcs_writing`), where documents stand (`book`), what a contract means (`model`).
The standard's own words are used where it has one; `customProperties` hold the rest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, get_args

from open_data_contract_standard.model import (
    CustomProperty,
    DataQuality,
    OpenDataContractStandard,
    SchemaObject,
    SchemaProperty,
    Server,
)
from pydantic import ValidationError

from paymentor_assets.ingestion.contracts.date_patterns import strptime_of
from paymentor_assets.ingestion.contracts.model import FeedContract, PiiKind
from paymentor_assets.ingestion.contracts.odcs_words import (
    API_VERSION,
    CUSTOM,
    ENCODINGS,
    ENGINE,
    OPTIONS,
    PERSONAL,
    TYPES,
    column_place,
    place_of,
    table_place,
    unread_words,
)
from paymentor_assets.strict_yaml import read_yaml
from resources.errors import ContractError

_SERVER_TYPES = ("local", "sftp", "s3")
_IN_FORCE = ("active", "deprecated")
_NOT_PERSONAL = ("public", "internal", "confidential")


def read_contract(text: str, source: str) -> FeedContract:
    """The feed contract that a document describes; `source` is how sentences call the document.

    Raises ContractError with one sentence for every fault, each naming its place.
    """
    content = read_yaml(text, source)
    if not isinstance(content, dict):
        raise ContractError(f"{source} is not a feed contract: it is not a mapping of words.")
    try:
        document = OpenDataContractStandard.model_validate(content)
    except ValidationError as error:
        raise _refusal(source, _sentences(error, content)) from error
    faults = unread_words(content)
    fields = _Reader(faults).feed(document)
    try:
        contract = FeedContract.model_validate(fields)
    except ValidationError as error:
        raise _refusal(source, [*faults, *_sentences(error, fields)]) from error
    except (re.error, OverflowError, RecursionError) as error:
        raise _refusal(source, [*faults, f"a pattern cannot be read: {error}"]) from error
    if faults:
        raise _refusal(source, faults)
    return contract


def _refusal(source: str, faults: Sequence[str]) -> ContractError:
    return ContractError(f"{source} is not a feed contract: {'; '.join(faults)}.")


def _sentences(error: ValidationError, content: object) -> list[str]:
    return [f"{place_of(content, e['loc'])}: {e['msg']}" for e in error.errors()]


class _Reader:
    """Fields of a FeedContract from a document that fits the standard; collects faults."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults

    def feed(self, document: OpenDataContractStandard) -> dict[str, Any]:
        """All fields of the contract that are given."""
        self._expect("apiVersion", document.apiVersion, (API_VERSION,))
        self._expect("kind", document.kind, ("DataContract",))
        self._expect("status", document.status, _IN_FORCE)
        if not document.id or not document.version:
            self.faults.append("the contract: the standard requires id and version; give both")
        tables = [self._record(table) for table in document.schema_ or ()]
        return {
            **_given(
                feed=document.name,
                description=document.description and document.description.purpose,
                records=[record for record, _ in tables],
            ),
            **self._custom("contract", "the contract", document.customProperties),
            **self._server(document.servers or []),
            **self._latency(document),
            **self._file_bounds([bounds for _, bounds in tables]),
        }

    def _server(self, servers: Sequence[Server]) -> dict[str, Any]:
        if len(servers) != 1:
            self.faults.append(f"servers: {len(servers)} are given; a feed has exactly one")
            return {}
        server = servers[0]
        self._expect("server, type", server.type, _SERVER_TYPES)
        custom = self._custom("server", "server", server.customProperties)
        is_signed = custom.pop("signed", None)
        if "encryption" in custom:
            custom["encryption"] = {
                "type": custom["encryption"],
                **_given(must_be_signed=is_signed),
            }
        elif is_signed is not None:
            self.faults.append("server, signed: only an encrypted file can be signed")
        if server.encoding is not None:
            self._expect("server, encoding", server.encoding, tuple(ENCODINGS))
            custom |= _given(encoding=ENCODINGS.get(server.encoding))
        return {**_given(format=server.format), **custom}

    def _latency(self, document: OpenDataContractStandard) -> dict[str, Any]:
        bounds = {}
        for sla in document.slaProperties or ():
            self._expect("slaProperties, property", sla.property, ("latency",))
            self._expect("slaProperties, unit", sla.unit, ("d", "day", "days"))
            bounds["max_age_days"] = sla.value
        return bounds

    def _file_bounds(self, found: Sequence[dict[str, Any]]) -> dict[str, Any]:
        if any(found[1:]):
            self.faults.append(
                "quality: rows and rejects are counted over the whole file; say their bounds at "
                "the first schema"
            )
        return found[0] if found else {}

    def _record(self, table: SchemaObject) -> tuple[dict[str, Any], dict[str, Any]]:
        """The fields of a RecordContract, and what its checks say of the file as a whole."""
        place = table_place(table.name)
        rules: list[dict[str, Any]] = []
        bounds: dict[str, Any] = {}
        for check in table.quality or ():
            self._check(check, f"{place}, quality", rules, bounds)
        columns = [self._column(p, column_place(place, p.name)) for p in table.properties or ()]
        record = {
            **_given(table=table.name, description=table.description),
            **self._custom("schema", place, table.customProperties),
            "key": self._key(place, table.properties or [], columns),
            "columns": columns,
            "rules": rules,
        }
        return record, bounds

    def _key(
        self, place: str, properties: Sequence[SchemaProperty], columns: Sequence[dict[str, Any]]
    ) -> list[str]:
        key = {}
        for given, column in zip(properties, columns, strict=True):
            if given.primaryKey:
                name = f"{given.name}_token" if column.get("pii") else str(given.name)
                key[name] = given.primaryKeyPosition
        if sorted(p or 0 for p in key.values()) != list(range(1, len(key) + 1)):
            self.faults.append(
                f"{place}: the properties with primaryKey are numbered 1 to {len(key)} by "
                "primaryKeyPosition; number them so"
            )
        return sorted(key, key=lambda name: key[name] or 0)

    def _check(
        self,
        check: DataQuality,
        place: str,
        rules: list[dict[str, Any]],
        bounds: dict[str, Any],
    ) -> None:
        if check.metric == "rowCount":
            low, high = check.mustBe, check.mustBe
            if check.mustBeBetween:
                low, high = check.mustBeBetween
            bounds |= _given(
                min_rows=check.mustBeGreaterOrEqualTo if low is None else low,
                max_rows=check.mustBeLessOrEqualTo if high is None else high,
            )
            return
        told = check.implementation
        if check.engine != ENGINE or not isinstance(told, dict):
            self.faults.append(
                f"{place}: a check is metric rowCount, or has engine {ENGINE} and an "
                "implementation; this one is neither"
            )
        elif set(told) == {"maxRejectedShare"}:
            bounds["max_rejected_share"] = told["maxRejectedShare"]
        elif set(told) == {"column", "violatedWhen"}:
            rules.append(
                {
                    "column": told["column"],
                    "violated_when": told["violatedWhen"],
                    **_given(reason_code=check.name, message=check.description),
                }
            )
        else:
            self.faults.append(
                f"{place}: an implementation has maxRejectedShare, or column and violatedWhen"
            )

    def _column(self, given: SchemaProperty, place: str) -> dict[str, Any]:
        physical = given.physicalType.lower() if given.physicalType else None
        column_type = TYPES.get((str(given.logicalType), physical))
        if column_type is None:
            known = ", ".join(f"{a} ({b})" if b else a for a, b in TYPES)
            self.faults.append(
                f"{place}: logicalType {given.logicalType} with physicalType {given.physicalType} "
                f"is none of {known}"
            )
        return {
            **_given(
                name=given.name,
                delivered_as=given.physicalName,
                # An unknown type is a fault already; any will do to look for more faults.
                type=column_type or "text",
                description=given.description,
                required=given.required,
                derived=given.transformLogic,
                pii=self._pii(given, place),
                enum=self._enum(given, place),
            ),
            **self._options(given, place),
            **self._custom("property", place, given.customProperties),
        }

    def _pii(self, given: SchemaProperty, place: str) -> str | None:
        kinds = [tag for tag in given.tags or () if tag in get_args(PiiKind)]
        if given.classification == PERSONAL:
            if len(kinds) != 1:
                self.faults.append(
                    f"{place}: personal data has exactly one of the tags "
                    f"{', '.join(get_args(PiiKind))}"
                )
            return kinds[0] if kinds else None
        if given.classification is not None:
            self._expect(
                f"{place}, classification", given.classification, (PERSONAL, *_NOT_PERSONAL)
            )
        if kinds:
            self.faults.append(f"{place}: tag {kinds[0]!r} needs classification {PERSONAL}")
        return None

    def _enum(self, given: SchemaProperty, place: str) -> list[str] | None:
        values = [item.value for item in given.enum or ()]
        if given.enum is not None and not values:
            self.faults.append(f"{place}, enum: it allows no value; list some or remove it")
        for value in values:
            if not isinstance(value, str):
                self.faults.append(f"{place}, enum: {value!r} is not text; write it in quotes")
        return [str(value) for value in values] or None

    def _options(self, given: SchemaProperty, place: str) -> dict[str, Any]:
        known = OPTIONS.get(str(given.logicalType), {})
        options = {}
        for word, value in (given.logicalTypeOptions or {}).items():
            if word not in known:
                self.faults.append(
                    f"{place}, logicalTypeOptions: {word!r} is not read for {given.logicalType}"
                )
            elif word == "format":
                options["format"] = self._strptime(value, place)
            elif isinstance(value, float):
                options[known[word]] = Decimal(str(value))
            else:
                options[known[word]] = value
        return options

    def _strptime(self, value: object, place: str) -> object:
        try:
            return strptime_of(value) if isinstance(value, str) else value
        except ValueError as error:
            self.faults.append(f"{place}: {error}")
            return None

    def _custom(
        self, kind: str, place: str, given: Sequence[CustomProperty] | None
    ) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for item in given or ():
            if item.vendor not in (None, ENGINE):
                continue
            field = CUSTOM[kind].get(str(item.property))
            if field is None or field in values:
                self.faults.append(
                    f"{place}, customProperties: {item.property!r} stands twice or is none of "
                    f"{', '.join(CUSTOM[kind])}"
                )
            else:
                values[field] = item.value
        return values

    def _expect(self, place: str, value: str | None, allowed: Sequence[str]) -> None:
        if value not in allowed:
            self.faults.append(f"{place}: {value!r} is not {' or '.join(allowed)}")


def _given(**fields: object) -> dict[str, Any]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}
