"""The form of a feed contract: what ingestion knows, whatever document it was read from.

A contract says everything that ingestion knows about a feed: columns, types, keys, ranges, which
columns hold personal data, and the table each record goes to. `contract_version` is a hash of that
content, so a row in `raw.ingested_files` tells which promise the file was held to.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from hashlib import sha256
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

ColumnType = Literal[
    "text", "date", "local_date", "timestamp", "decimal", "integer", "double", "boolean"
]
Format = Literal[
    "delimited",
    "json_lines",
    "parquet",
    "aa_deposits",
    "change_log",
    "metro2",
    "tudf",
    "us_dnc",
]
PiiKind = Literal[
    "name",
    "phone",
    "email",
    "national_id",
    "aa_handle",
    "narration",
    "account_number",
    "address",
    "birth_date",
]
#: Kinds whose values can be revealed again by the vault; the others only ever exist as tokens.
REVERSIBLE_KINDS: frozenset[str] = frozenset(
    {"name", "phone", "email", "national_id", "aa_handle", "account_number"}
)


class ColumnContract(BaseModel):
    """One column as delivered.

    `local_date` is a date, or an instant of which the written local date counts. `above` is an
    exclusive lower bound. `not_after` names what the value may not lie after: the file's business
    date, or its delivery. `paths` are JSON paths tried in order; `of: parent` reads them in the
    enclosing record. `values: list` joins a JSON array with ";". `derived` columns are not read
    but computed from the others. `delivered_as` is the column's name in the file where that is
    another one. `format` is how dates and instants are written (strptime), where not as ISO 8601;
    an instant without an offset is read in the lender's zone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    delivered_as: str | None = None
    type: ColumnType
    format: str | None = None
    description: str = Field(min_length=1)
    required: bool = False
    pii: PiiKind | None = None
    region: str | None = None
    min: Decimal | None = None
    above: Decimal | None = None
    max: Decimal | None = None
    enum: tuple[str, ...] | None = None
    pattern: str | None = None
    not_after: Literal["business_date", "delivery"] | None = None
    paths: tuple[str, ...] = ()
    of: Literal["record", "parent"] = "record"
    values: Literal["one", "list"] = "one"
    derived: Literal["narration_category"] | None = None

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            re.compile(pattern)
        return pattern

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> ColumnContract:
        if self.pii is not None and self.type != "text":
            raise ValueError(f"{self.name}: personal data is text before it becomes a token")
        if self.not_after and self.type not in ("date", "local_date", "timestamp"):
            raise ValueError(f"{self.name}: not_after applies to dates and instants")
        if self.not_after == "business_date" and self.type == "timestamp":
            raise ValueError(f"{self.name}: an instant is compared with the delivery")
        return self

    @property
    def stored_name(self) -> str:
        """The column's name in `raw.*`: personal data is stored as a token."""
        return f"{self.name}_token" if self.pii else self.name

    @property
    def sealed_name(self) -> str | None:
        """Where its value stands beside the token until the vault has it; None where no vault keeps
        it. The space keeps it apart from every column of a contract."""
        return f"{self.name} sealed" if self.pii in REVERSIBLE_KINDS else None


class RowRule(BaseModel):
    """A rule between the columns of one row, whose violation rejects the row.

    `violated_when` is a SQL condition over delivered column names, which stand for typed values
    (a personal-data column for its token); NULL is no violation. `message` ends the sentence
    "<file>, row <n>, column <c>: …".
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason_code: str = Field(pattern=r"^[A-Z][A-Z0-9_]*$")
    column: str
    violated_when: str = Field(min_length=1)
    message: str = Field(min_length=1)


class RecordContract(BaseModel):
    """One kind of record in a feed, and the `raw.*` table it goes to.

    `key` names stored columns. `business_date` names the column that must equal the business date
    in the file name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str = Field(pattern=r"^raw\.[a-z][a-z0-9_]*$")
    description: str
    key: tuple[str, ...] = Field(min_length=1)
    business_date: str | None = None
    columns: tuple[ColumnContract, ...] = Field(min_length=1)
    rules: tuple[RowRule, ...] = ()

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> RecordContract:
        stored = [c.stored_name for c in self.columns]
        if len(set(stored)) != len(stored):
            raise ValueError(f"{self.table}: a column name is used twice")
        if absent := [k for k in self.key if k not in stored]:
            raise ValueError(f"{self.table}: key columns {absent} are not stored columns")
        if self.business_date and self.business_date not in {c.name for c in self.columns}:
            raise ValueError(f"{self.table}: no column {self.business_date}")
        names = {c.name for c in self.columns}
        if absent := [r.column for r in self.rules if r.column not in names]:
            raise ValueError(f"{self.table}: rules name columns {absent} that are not there")
        return self

    @property
    def delivered_columns(self) -> tuple[ColumnContract, ...]:
        """Columns that are read from the file."""
        return tuple(c for c in self.columns if c.derived is None)


class Encryption(BaseModel):
    """How files of a feed are sealed end to end."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["openpgp"]
    must_be_signed: bool = True


class FeedContract(BaseModel):
    """One feed: how its files are written, its kinds of record (parent before child), and what a
    file as a whole must keep to.

    `naming` is `dated` where names carry the business date (`<feed>_<YYYY-MM-DD>…`) and `any`
    where a machine gives the names; then the day of delivery is the business date. `trailer` says
    whether a format that ends with counts and sums must keep to them. A file is
    refused as a whole when it holds fewer rows than `min_rows` or more than `max_rows`, when more
    than `max_rejected_share` of its rows break the contract (default: the lender's), or when it is
    delivered more than `max_age_days` after its business date.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    feed: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    description: str
    format: Format
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: Literal["utf-8", "utf-16", "latin-1"] = "utf-8"
    compression: Literal["none", "gzip", "zip"] = "none"
    encryption: Encryption | None = None
    naming: Literal["dated", "any"] = "dated"
    may_be_empty: bool = False
    trailer: Literal["checked", "ignored"] = "checked"
    min_rows: int | None = Field(default=None, ge=0)
    max_rows: int | None = Field(default=None, ge=1)
    max_rejected_share: float | None = Field(default=None, ge=0, le=1)
    max_age_days: int | None = Field(default=None, ge=0)
    records: tuple[RecordContract, ...] = Field(min_length=1, max_length=3)

    @property
    def contract_version(self) -> str:
        """16 hex characters of the hash of the contract's content."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return sha256(canonical.encode()).hexdigest()[:16]

    @property
    def header(self) -> tuple[str, ...]:
        """Column names as a file of named columns delivers them."""
        return tuple(c.delivered_as or c.name for c in self.records[0].delivered_columns)
