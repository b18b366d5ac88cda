"""Account Aggregator data (deposit, term and recurring deposit; v1.x and v2.0.0; JSON and XML).

Rows counted are accounts plus transactions: an account is one row, its transactions the rows after
it; what stands in the place of an account and is none is one row. Institutions differ, and the
paths of the contract say how: holder object or array, several spellings of an instant, the names
of v1 beside those of v2. Amounts may be text or numbers; one transaction may stand without a list.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

import duckdb
import numpy as np
import pyarrow as pa

from paymentor_assets.ingestion.aa_crypto import KeyRing
from paymentor_assets.ingestion.contracts.model import ColumnContract, FeedContract
from paymentor_assets.ingestion.parsers.aa_documents import AccountDocument
from paymentor_assets.ingestion.parsers.aa_lines import read_lines
from paymentor_assets.ingestion.parsers.aa_xml import read_envelopes
from paymentor_assets.ingestion.parsers.interface import STAGED, STAGED_SCHEMA, Source
from paymentor_assets.ingestion.parsers.lines import BLOCK_BYTES, BOM
from paymentor_assets.ingestion.parsers.paths import PathColumns, texts
from resources.duck import quote
from resources.errors import ContractError

#: Documents are turned to columns in small groups, while they are still in the processor's cache.
_GROUP_ROWS = 512
_BATCH_ROWS = 50_000
_BEGINNING = 4096
#: A transaction as XML text; a quoted value may hold any character but its own quote.
_ITEM = r"""<(?:[\w.-]+:)?Transaction(?:\s(?:[^"'>]|"[^"]*"|'[^']*')*)?>"""


class AaAccounts:
    """Accounts to `fields_0`, transactions to `fields_1`.

    `keys` opens encrypted payloads; without it they are rejected (DECRYPTION_FAILED).
    """

    def __init__(self, contract: FeedContract, keys: KeyRing | None = None) -> None:
        account, transaction = contract.records
        own = [c for c in transaction.delivered_columns if c.of == "record"]
        self._accounts = PathColumns(account.delivered_columns)
        self._transactions = PathColumns(own)
        self._inherited = [c for c in transaction.delivered_columns if c.of == "parent"]
        _check_inherited(contract, account.delivered_columns, self._inherited)
        self._keys = keys

    def tables(self) -> Mapping[str, pa.Schema]:
        """Accounts with their original bytes, and transactions."""
        original = pa.field("original", pa.large_binary())
        texts = [pa.field(name, pa.string()) for name in self._accounts.names]
        own = [pa.field(name, pa.string()) for name in self._transactions.names]
        return {
            "aa_accounts_read": pa.schema([*STAGED_SCHEMA, original, *texts]),
            "aa_transactions_read": pa.schema([*STAGED_SCHEMA, *own]),
        }

    def read(self, source: Source) -> Iterator[Mapping[str, pa.RecordBatch]]:
        """Accounts of one file, whichever of the two forms it has.

        Raises RejectedFile as `aa_lines.read_lines` and `aa_xml.read_envelopes` do.
        """
        beginning = source.stream.read(_BEGINNING)
        stream = cast(BinaryIO, _Resumed(beginning, source.stream))
        documents: Iterable[AccountDocument]
        if beginning.removeprefix(BOM).lstrip().startswith(b"<"):
            documents = read_envelopes(stream, source.name)
        else:
            documents = read_lines(Source(stream, source.file_index, source.name), self._keys)
        rows = _Rows(source.file_index, self._accounts, self._transactions)
        for document in documents:
            rows.add(document)
            if rows.is_full:
                yield self._batches(rows)
        if rows.size:
            yield self._batches(rows)

    def _batches(self, rows: _Rows) -> Mapping[str, pa.RecordBatch]:
        accounts, transactions = rows.take()
        schemas = self.tables()
        return {
            name: pa.record_batch(columns, schema=schemas[name])
            for name, columns in zip(schemas, (accounts, transactions), strict=True)
        }

    def stage(self, con: duckdb.DuckDBPyConnection) -> None:
        """Tables `fields_0` and `fields_1`; a transaction takes from its account what is shared."""
        staged = [field.name for field in STAGED_SCHEMA]
        accounts, own = self._accounts.names, self._transactions.names
        places = ", ".join(f"t.{name}" for name in staged)
        _create(con, "fields_0", accounts)
        con.execute(
            f"INSERT INTO fields_0 SELECT {', '.join(staged)}, {_filled(accounts)} "
            "FROM aa_accounts_read"
        )
        inherited = [column.name for column in self._inherited]
        _create(con, "fields_1", [*inherited, *own])
        con.execute(
            f"""
            INSERT INTO fields_1
            SELECT {places}, {"".join(f'a."{n}", ' for n in inherited)}{_filled(own, "t.")}
            FROM aa_transactions_read AS t
            JOIN fields_0 AS a ON a.file_index = t.file_index AND a.row_number = t.line_number
            """
        )

    def original(self, index: int) -> tuple[str, str]:
        """The account's own bytes; for a transaction its piece of them, where it can be cut out."""
        joins = (
            "JOIN aa_accounts_read AS o "
            "ON o.file_index = v.file_index AND o.row_number = v.line_number"
        )
        if index == 0:
            return "o.original", joins
        text = "decode(o.original)"
        path = "$.account.transactions.transaction"
        position = "(v.row_number - v.line_number - 1)"
        # A lone transaction stands without a list; an encrypted one cannot be shown alone.
        json = (
            f"CASE json_type({text}, '{path}') WHEN 'ARRAY' "
            f"THEN json_extract({text}, '{path}[' || {position} || ']') "
            f"ELSE json_extract({text}, '{path}') END"
        )
        found = f"regexp_extract_all({text}, {quote(_ITEM)})"
        element = (
            f"CASE WHEN len({found}) = (SELECT count(*) FROM aa_transactions_read AS n "
            "WHERE n.file_index = v.file_index AND n.line_number = v.line_number) "
            f"THEN {found}[{position} + 1] END"
        )
        piece = (
            f"CASE WHEN starts_with(ltrim({text}), '<') THEN {element} "
            f"ELSE CAST({json} AS VARCHAR) END"
        )
        return f"coalesce(encode({piece}), o.original)", joins


@dataclass
class _Rows:
    """Rows of one file on their way into columns; row numbers go on through the file."""

    file_index: int
    accounts: PathColumns
    transactions: PathColumns
    row_number: int = 0
    size: int = 0
    _group: list[AccountDocument] = field(default_factory=list)
    _group_rows: int = 0
    _rows: int = 0
    _closed: list[AccountDocument] = field(default_factory=list)
    _account_values: list[list[Any]] = field(default_factory=list)
    _transaction_texts: list[list[pa.Array]] = field(default_factory=list)
    _errors: list[str | None] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """Whether enough is gathered for a batch."""
        return self.size >= BLOCK_BYTES or self._rows >= _BATCH_ROWS

    def add(self, document: AccountDocument) -> None:
        """One more account."""
        rows = 1 + len(document.transactions)
        self._group.append(document)
        self._group_rows += rows
        self._rows += rows
        self.size += len(document.original)
        if self._group_rows >= _GROUP_ROWS:
            self._close_group()

    def take(self) -> tuple[list[pa.Array], list[pa.Array]]:
        """The columns of both tables, and begin again."""
        self._close_group()
        group, counts = self._closed, np.array([d.count for d in self._closed], np.int64)
        ends = np.cumsum(counts + 1)
        firsts = self.row_number + ends - counts
        within = np.arange(len(self._errors)) - np.repeat(np.cumsum(counts) - counts, counts)
        lines = np.repeat(firsts, counts)
        accounts = [
            *self._places(firsts, firsts, [d.error for d in group]),
            pa.array([d.original for d in group], pa.large_binary()),
            *texts(self._account_values),
        ]
        accounts[STAGED_SCHEMA.get_field_index("fault_column")] = pa.array(
            [d.fault_column for d in group], pa.string()
        )
        transactions = [
            *self._places(lines + 1 + within, lines, self._errors),
            *(pa.concat_arrays(parts) for parts in zip(*self._transaction_texts, strict=True)),
        ]
        self.row_number += self._rows
        self._closed, self._account_values, self._transaction_texts = [], [], []
        self._errors, self._rows, self.size = [], 0, 0
        return accounts, transactions

    def _close_group(self) -> None:
        group, items = self._group, [item for d in self._group for item in d.transactions]
        values = self.accounts.read([d.envelope for d in group])
        if self._account_values:
            for column, more in zip(self._account_values, values, strict=True):
                column += more
        else:
            self._account_values = values
        self._transaction_texts.append(texts(self.transactions.read(items)))
        self._errors += [None if type(item) is dict else "BAD_JSON" for item in items]
        for document in group:
            document.forget_content()
        self._closed += group
        self._group, self._group_rows = [], 0

    def _places(
        self, rows: np.ndarray, lines: np.ndarray, errors: Sequence[str | None]
    ) -> list[pa.Array]:
        count = len(rows)
        return [
            pa.array(np.full(count, self.file_index, np.int32)),
            pa.array(rows.astype(np.int64)),
            pa.array(lines.astype(np.int64)),
            pa.array(errors, pa.string()),
            pa.nulls(count, pa.string()),
            pa.nulls(count, pa.int32()),
        ]


class _Resumed(io.RawIOBase):
    """A stream whose beginning was read already."""

    def __init__(self, beginning: bytes, rest: BinaryIO) -> None:
        self._beginning = beginning
        self._rest = rest

    def read(self, size: int = -1, /) -> bytes:
        if not self._beginning:
            return self._rest.read(size)
        if 0 <= size < len(self._beginning):
            taken, self._beginning = self._beginning[:size], self._beginning[size:]
            return taken
        taken, self._beginning = self._beginning, b""
        return taken + self._rest.read(size - len(taken) if size >= 0 else -1)


def _create(con: duckdb.DuckDBPyConnection, table: str, names: Sequence[str]) -> None:
    texts = ", ".join(f'"{name}" VARCHAR' for name in names)
    con.execute(f"CREATE OR REPLACE TEMP TABLE {table} ({STAGED}, {texts})")


def _filled(names: Sequence[str], alias: str = "") -> str:
    """Blank text is NULL. trim() is dear, and hardly any value needs it."""
    columns = [f'{alias}"{name}"' for name in names]
    return ", ".join(
        f"nullif(CASE WHEN {c} LIKE ' %' OR {c} LIKE '% ' THEN trim({c}) ELSE {c} END, '')"
        for c in columns
    )


def _check_inherited(
    contract: FeedContract,
    account: Sequence[ColumnContract],
    inherited: Sequence[ColumnContract],
) -> None:
    paths: dict[str, Any] = {column.name: column.paths for column in account}
    for column in inherited:
        if paths.get(column.name) != column.paths:
            raise ContractError(
                f"Feed {contract.feed}: column {column.name} of the transactions is read from the "
                "account, so the account needs a column of the same name and paths."
            )
