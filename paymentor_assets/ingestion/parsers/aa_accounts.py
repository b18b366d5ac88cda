"""Account Aggregator data (deposit, term and recurring deposit; v1.x and v2.0.0; JSON and XML).

Rows counted are accounts plus transactions: an account is one row, its transactions the rows after
it; what stands in the place of an account and is none is one row. Institutions differ, and the
paths of the contract say how: holder object or array, several spellings of an instant, the names
of v1 beside those of v2. Amounts may be text or numbers; one transaction may stand without a list.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, cast

import duckdb
import numpy as np
import pyarrow as pa

from paymentor_assets.ingestion.aa_crypto import KeyRing
from paymentor_assets.ingestion.contracts.model import ColumnContract, FeedContract
from paymentor_assets.ingestion.parsers.aa_documents import AccountDocument
from paymentor_assets.ingestion.parsers.aa_lines import read_lines
from paymentor_assets.ingestion.parsers.aa_xml import read_envelopes
from paymentor_assets.ingestion.parsers.interface import STAGED_SCHEMA, Source
from paymentor_assets.ingestion.parsers.lines import BLOCK_BYTES, BOM
from paymentor_assets.ingestion.parsers.paths import PathColumns, trimmed
from resources.duck import quote
from resources.errors import ContractError, RejectedFile

_ACCOUNTS, _TRANSACTIONS = "aa_accounts_read", "aa_transactions_read"
_ERROR, _FAULT_COLUMN = (
    STAGED_SCHEMA.get_field_index(name) for name in ("parse_error", "fault_column")
)
#: What transactions repeat of their account stands once, and they point to it.
_REPEATED = pa.dictionary(pa.int32(), pa.string())
#: Values become Arrow arrays in small groups, while they are still in the processor's cache.
_GROUP_ROWS = 500
_BATCH_ROWS = 50_000
#: More than fit into the longest account, unless they are no transactions.
MAX_TRANSACTIONS = 50_000
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
        """Accounts with their original bytes, and transactions with what they share of them."""
        original = pa.field("original", pa.large_binary())
        texts = [pa.field(name, pa.string()) for name in self._accounts.names]
        shared = [pa.field(column.name, _REPEATED) for column in self._inherited]
        own = [pa.field(name, pa.string()) for name in self._transactions.names]
        return {
            _ACCOUNTS: pa.schema([*STAGED_SCHEMA, original, *texts]),
            _TRANSACTIONS: pa.schema([*STAGED_SCHEMA, *shared, *own]),
        }

    def read(self, source: Source) -> Iterator[Mapping[str, pa.RecordBatch]]:
        """Accounts of one file, whichever of the two forms it has.

        Raises RejectedFile as `aa_lines.read_lines` and `aa_xml.read_envelopes` do, and with
        RECORD_TOO_LONG for an account of more than MAX_TRANSACTIONS.
        """
        beginning = source.stream.read(_BEGINNING)
        stream = cast(BinaryIO, _Resumed(beginning, source.stream))
        documents: Iterable[AccountDocument]
        if beginning.removeprefix(BOM).lstrip().startswith(b"<"):
            documents = read_envelopes(stream, source.name)
        else:
            documents = read_lines(replace(source, stream=stream), self._keys)
        shared = [self._accounts.names.index(column.name) for column in self._inherited]
        rows = _Rows(source.file_index, self._accounts, self._transactions, shared)
        for document in documents:
            if len(document.transactions) > MAX_TRANSACTIONS:
                raise RejectedFile(
                    "RECORD_TOO_LONG",
                    f"{source.name}: an account has {len(document.transactions)} transactions, and "
                    f"{MAX_TRANSACTIONS} are read at once; split them over several fetches.",
                )
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
        """`fields_0` and `fields_1` are views: `read` left nothing to do but the order."""
        staged = [field.name for field in STAGED_SCHEMA]
        inherited = [column.name for column in self._inherited]
        for view, table, names in (
            ("fields_0", _ACCOUNTS, self._accounts.names),
            ("fields_1", _TRANSACTIONS, [*inherited, *self._transactions.names]),
        ):
            columns = ", ".join(f'"{name}"' for name in [*staged, *names])
            con.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS SELECT {columns} FROM {table}")

    def original(self, index: int) -> tuple[str, str]:
        """The account's own bytes; for a transaction its piece of them, where it can be cut out (of
        an encrypted account it cannot), else its place."""
        if index == 0:
            return "o.original", (
                f"JOIN {_ACCOUNTS} AS o "
                "ON o.file_index = v.file_index AND o.row_number = v.line_number"
            )
        text = "decode(a.original)"
        path = "$.account.transactions.transaction"
        # Cut once an account: cut once a transaction, a thousand of them would take gigabytes. What
        # is no JSON or no text has no transactions, but would be looked at before that is known.
        pieces = f"""
            SELECT file_index, line_number, unnest(items) AS piece,
                   generate_subscripts(items, 1) AS position
            FROM (
                SELECT a.file_index, a.row_number AS line_number, n.transactions,
                       TRY(CASE WHEN starts_with(ltrim({text}), '<')
                            THEN regexp_extract_all({text}, {quote(_ITEM)})
                            WHEN json_type({text}, '{path}') = 'ARRAY'
                            THEN CAST(json_extract({text}, '{path}[*]') AS VARCHAR[])
                            -- A lone transaction stands without a list.
                            ELSE [CAST(json_extract({text}, '{path}') AS VARCHAR)] END) AS items
                FROM {_ACCOUNTS} AS a
                JOIN (SELECT file_index, line_number, count(*) AS transactions
                      FROM {_TRANSACTIONS} GROUP BY ALL) AS n
                  ON n.file_index = a.file_index AND n.line_number = a.row_number
            )
            WHERE len(items) = transactions
        """
        place = "(v.row_number - v.line_number)"
        return (
            f"encode(coalesce(p.piece, 'transaction ' || {place} || ' of the account in row ' "
            "|| v.line_number))",
            f"LEFT JOIN ({pieces}) AS p ON p.file_index = v.file_index "
            f"AND p.line_number = v.line_number AND p.position = {place}",
        )


@dataclass
class _Rows:
    """Rows of one file on their way into columns; row numbers go on through the file.

    `shared` are the positions of the account's columns that its transactions repeat.
    """

    file_index: int
    accounts: PathColumns
    transactions: PathColumns
    shared: Sequence[int]
    row_number: int = 0
    size: int = 0
    _documents: list[AccountDocument] = field(default_factory=list)
    _counts: list[int] = field(default_factory=list)
    _rows: int = 0
    _items: list[Any] = field(default_factory=list)
    _texts: list[list[pa.Array]] = field(default_factory=list)
    _faulty: list[int] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """Whether enough is gathered for a batch."""
        return self.size >= BLOCK_BYTES or self._rows >= _BATCH_ROWS

    def add(self, document: AccountDocument) -> None:
        """One more account; its transactions become values soon, and are forgotten."""
        items = document.transactions
        if not set(map(type, items)) <= {dict}:
            before = self._rows - len(self._documents)
            self._faulty += [before + i for i, item in enumerate(items) if type(item) is not dict]
        self._items += items
        document.transactions = ()
        self._documents.append(document)
        self._counts.append(len(items))
        self._rows += 1 + len(items)
        self.size += len(document.original)
        if len(self._items) >= _GROUP_ROWS:
            self._close_group()

    def take(self) -> tuple[list[pa.Array], list[pa.Array]]:
        """The columns of both tables, and begin again."""
        self._close_group()
        documents, counts = self._documents, np.array(self._counts, np.int64)
        firsts = self.row_number + np.cumsum(counts + 1) - counts
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        lines = np.repeat(firsts, counts)
        account_texts = self.accounts.texts([d.envelope for d in documents])
        account_texts = [trimmed(texts) for texts in account_texts]
        accounts = [
            *self._places(firsts, firsts),
            pa.array([d.original for d in documents], pa.large_binary()),
            *account_texts,
        ]
        accounts[_ERROR] = pa.array([d.error for d in documents], pa.string())
        accounts[_FAULT_COLUMN] = pa.array([d.fault_column for d in documents], pa.string())
        parent = pa.array(np.repeat(np.arange(len(counts), dtype=np.int32), counts))
        transactions = [
            *self._places(lines + 1 + within, lines),
            *(pa.DictionaryArray.from_arrays(parent, account_texts[i]) for i in self.shared),
            *(trimmed(pa.concat_arrays(parts)) for parts in zip(*self._texts, strict=True)),
        ]
        if self._faulty:
            errors = np.full(len(lines), None, object)
            errors[self._faulty] = "BAD_JSON"
            transactions[_ERROR] = pa.array(errors, pa.string())
        self.row_number += self._rows
        self._documents, self._counts, self._texts, self._faulty = [], [], [], []
        self._rows = self.size = 0
        return accounts, transactions

    def _close_group(self) -> None:
        self._texts.append(self.transactions.texts(self._items))
        self._items = []

    def _places(self, rows: np.ndarray, lines: np.ndarray) -> list[pa.Array]:
        count = len(rows)
        return [
            pa.array(np.full(count, self.file_index, np.int32)),
            pa.array(rows.astype(np.int64)),
            pa.array(lines.astype(np.int64)),
            pa.nulls(count, pa.string()),
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
