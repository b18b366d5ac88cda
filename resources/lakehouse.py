"""The lakehouse: Iceberg tables in one catalog, written by whole commits and read by snapshot.

What belongs here: creating, appending, overwriting, scanning. What does not: what a commit means
(publications live in `paymentor_assets.audit`).
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

import pyarrow as pa
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.conversions import from_bytes
from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.expressions import AlwaysTrue, BooleanExpression
from pyiceberg.io.pyarrow import ArrowScan
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
from pyiceberg.table import Table
from sqlalchemy.exc import IntegrityError

from resources.errors import CatalogError, NotFound

#: pyiceberg tries a commit five times by itself; writers of many lenders need more patience.
_OVERWRITE_ATTEMPTS = 4
_EPOCH = datetime.fromisoformat("1970-01-01")


@dataclass(frozen=True)
class TableContract:
    """What a lakehouse table is: name, columns, key, and how its files are laid out.

    `schema` fields carry their description as metadata `{"description": …}`; `key` names the
    columns that identify a row; `partition_by` names identity-partition columns.
    """

    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    description: str
    partition_by: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def namespace(self) -> str:
        """The first part of the name."""
        return self.name.split(".", 1)[0]

    @property
    def column_names(self) -> list[str]:
        """Column names in order."""
        return list(self.schema.names)


def column(
    name: str, data_type: pa.DataType, description: str, *, nullable: bool = True
) -> pa.Field:
    """One described column of a table contract."""
    return pa.field(name, data_type, nullable=nullable, metadata={"description": description})


#: The types of the house: instants are UTC without a zone, money two decimals.
TIMESTAMP = pa.timestamp("us")
MONEY = pa.decimal128(18, 2)
#: A text message costs fractions of a cent.
UNIT_COST = pa.decimal128(18, 4)


class Lakehouse:
    """One Iceberg catalog and its tables."""

    def __init__(self, catalog_properties: Mapping[str, str], name: str = "lake") -> None:
        self.name = name
        self._properties = dict(catalog_properties)

    @cached_property
    def catalog(self) -> Catalog:
        """The pyiceberg catalog, opened at first use."""
        return load_catalog(self.name, **self._properties)

    def exists(self, name: str) -> bool:
        """Whether the table is in the catalog."""
        return bool(self.catalog.table_exists(name))

    def load(self, name: str) -> Table:
        """The table as it stands now; raises NotFound when it was never made."""
        try:
            return self.catalog.load_table(name)
        except NoSuchTableError:
            raise NotFound(
                f"The lakehouse has no table {name}; nothing was written to it yet."
            ) from None

    def ensure(self, contract: TableContract) -> Table:
        """Create the table, or make sure that it is what the contract says.

        Optional columns that the contract has gained are added, null in the rows that are there.
        Raises CatalogError for every other difference: what rows mean does not change by itself.
        """
        try:
            table = self.catalog.load_table(contract.name)
        except NoSuchTableError:
            return self._create(contract)
        if _is_as_agreed(contract, table):
            return table
        return self._evolve(contract, table)

    def _evolve(self, contract: TableContract, table: Table) -> Table:
        if faults := _not_additive(contract, _columns(table)):
            raise CatalogError(
                f"Table {contract.name} differs from its contract by more than new optional "
                f"columns: {'; '.join(faults)}. Nothing was changed. Give a column that means "
                "something else a new name, and leave the old one in the contract; or make a new "
                "table and fill it from this one."
            )
        names = contract.column_names
        known = _columns(table)
        # Another writer of the same version may be first; then the table is as it should be.
        with contextlib.suppress(CommitFailedException), table.update_schema() as update:
            update.union_by_name(_documented(contract.schema))
            for name in names:
                if name not in known and name == names[0]:
                    update.move_first(name)
                elif name not in known:
                    update.move_after(name, names[names.index(name) - 1])
        table = self.load(contract.name)
        if not _is_as_agreed(contract, table):
            raise CatalogError(
                f"Table {contract.name} was changed by another writer while columns were added; "
                "its columns are not those of the contract. Run every process of one version."
            )
        return table

    def _create(self, contract: TableContract) -> Table:
        # Two writers that begin together: a SQL catalog meets the loser with its own integrity
        # error, and a table that appears meanwhile with a failed commit.
        with contextlib.suppress(NamespaceAlreadyExistsError, IntegrityError):
            self.catalog.create_namespace(contract.namespace)
        try:
            # One transaction, so that no reader ever meets the table without its partitioning.
            with self.catalog.create_table_transaction(
                contract.name,
                schema=_documented(contract.schema),
                partition_spec=UNPARTITIONED_PARTITION_SPEC,
                properties={"comment": contract.description, **contract.properties},
            ) as transaction:
                if contract.partition_by:
                    with transaction.update_spec() as spec:
                        for name in contract.partition_by:
                            spec.add_identity(name)
        except (TableAlreadyExistsError, CommitFailedException):
            pass  # another writer was first; the caller gets the table that exists
        return self.catalog.load_table(contract.name)

    def append(self, contract: TableContract, rows: pa.Table, summary: Mapping[str, str]) -> int:
        """Append rows in one commit; returns the snapshot id."""
        table = self.ensure(contract)
        table.append(rows.cast(contract.schema), snapshot_properties=dict(summary))
        return _head(table)

    def overwrite(
        self,
        contract: TableContract,
        rows: pa.Table,
        row_filter: BooleanExpression,
        summary: Mapping[str, str],
    ) -> int:
        """Replace exactly the rows that match `row_filter`, also by none; returns the snapshot id.

        One commit for readers of the final metadata: pyiceberg writes the delete and the append as
        two snapshots of one transaction, and only the second becomes the head. Doing it again does
        no harm, so a commit lost to another writer is repeated on the table as it stands then;
        CatalogError when it is lost every time.
        """
        for _ in range(_OVERWRITE_ATTEMPTS):
            table = self.ensure(contract)
            with contextlib.suppress(CommitFailedException), warnings.catch_warnings():
                # A first publication replaces nothing; that is no news.
                warnings.filterwarnings(
                    "ignore", message="Delete operation did not match any records"
                )
                table.overwrite(
                    rows.cast(contract.schema),
                    overwrite_filter=row_filter,
                    snapshot_properties=dict(summary),
                )
                return _head(table)
        raise CatalogError(
            f"Other writers committed to {contract.name} before each of {_OVERWRITE_ATTEMPTS} "
            "attempts to write; nothing was changed. Run it again."
        )

    def head(self, name: str) -> int | None:
        """The newest snapshot id; None when the table is empty of commits or absent."""
        if not self.exists(name):
            return None
        snapshot = self.load(name).current_snapshot()
        return None if snapshot is None else snapshot.snapshot_id

    def summary(self, name: str, snapshot_id: int | None = None) -> dict[str, str]:
        """The snapshot summary (of the head by default); empty when there is no snapshot."""
        table = self.load(name)
        snapshot = (
            table.current_snapshot() if snapshot_id is None else table.snapshot_by_id(snapshot_id)
        )
        if snapshot is None or snapshot.summary is None:
            return {}
        return dict(snapshot.summary.additional_properties)

    def has_snapshot(self, name: str, snapshot_id: int) -> bool:
        """Whether the snapshot has not been expired."""
        return self.load(name).snapshot_by_id(snapshot_id) is not None

    def scan(
        self,
        name: str,
        snapshot_id: int | None = None,
        row_filter: str | BooleanExpression | None = None,
        columns: Sequence[str] = ("*",),
    ) -> pa.Table:
        """Rows as Arrow, of one snapshot or of the head, in no particular order.

        The columns are today's: one that the table gained after the snapshot is null. Raises
        NotFound for a table or snapshot that does not exist.
        """
        table = self.load(name)
        if snapshot_id is not None and table.snapshot_by_id(snapshot_id) is None:
            raise NotFound(
                f"Table {name} has no snapshot {snapshot_id}, which was expired or never made; "
                "read a newer publication."
            )
        scan = table.scan(
            row_filter=AlwaysTrue() if row_filter is None else row_filter, snapshot_id=snapshot_id
        )
        every_column = "*" in columns
        wanted = table.schema() if every_column else table.schema().select(*columns)
        # `scan.to_arrow` would give a snapshot the columns of its own time.
        rows = ArrowScan(table.metadata, table.io, wanted, scan.row_filter)
        return plain_types(rows.to_table(scan.plan_files()))

    def earliest_by_file(
        self,
        name: str,
        snapshot_id: int,
        column_name: str,
        row_filter: BooleanExpression,
    ) -> dict[str, datetime] | None:
        """The earliest instant of a column in each data file of a snapshot, by the file's path.

        It is a bound from the manifests; a file without one counts as from the beginning of time.
        None when the snapshot has expired.
        """
        table = self.load(name)
        if table.snapshot_by_id(snapshot_id) is None:
            return None
        instants = table.schema().find_field(column_name)
        found: dict[str, datetime] = {}
        for task in table.scan(row_filter=row_filter, snapshot_id=snapshot_id).plan_files():
            bound = (task.file.lower_bounds or {}).get(instants.field_id)
            microseconds = 0 if bound is None else from_bytes(instants.field_type, bound)
            found[task.file.file_path] = _EPOCH + timedelta(microseconds=microseconds)
        return found

    def metadata_location(self, name: str) -> str:
        """Where the table's current metadata file is."""
        return str(self.load(name).metadata_location)


def plain_types(rows: pa.Table) -> pa.Table:
    """The same rows with 32-bit offset strings, which is what the contracts say."""
    fields = [pa.field(f.name, _plain(f.type), f.nullable, f.metadata) for f in rows.schema]
    return rows.cast(pa.schema(fields))


def _plain(data_type: pa.DataType) -> pa.DataType:
    if pa.types.is_large_string(data_type):
        return pa.string()
    if pa.types.is_large_binary(data_type):
        return pa.binary()
    if pa.types.is_large_list(data_type) or pa.types.is_list(data_type):
        return pa.list_(_plain(data_type.value_type))
    return data_type


def _stored_type(data_type: pa.DataType) -> str:
    plain = _plain(data_type)
    # Iceberg v2 has no 8- or 16-bit integers; contracts use int32 and int64 only.
    name: str = str(plain).replace("element: ", "item: ")
    return name


def _columns_of(schema: pa.Schema) -> dict[str, str]:
    """Type by name, in order."""
    return {f.name: _stored_type(f.type) for f in schema}


def _columns(table: Table) -> dict[str, str]:
    return _columns_of(table.schema().as_arrow())


def _is_as_agreed(contract: TableContract, table: Table) -> bool:
    return list(_columns(table).items()) == list(_columns_of(contract.schema).items())


def _not_additive(contract: TableContract, actual: Mapping[str, str]) -> list[str]:
    """What keeps the table from becoming what the contract says by new optional columns alone."""
    expected = _columns_of(contract.schema)
    faults = [
        f"column {name} is {actual[name]} there and {kind} in the contract"
        for name, kind in expected.items()
        if name in actual and actual[name] != kind
    ]
    faults += [f"column {name} is not in the contract" for name in actual if name not in expected]
    faults += [
        f"column {f.name} is new and required, and the rows that are there have no value"
        for f in contract.schema
        if f.name not in actual and not f.nullable
    ]
    if not faults and [name for name in expected if name in actual] != list(actual):
        faults.append(f"its columns stand in another order ({', '.join(actual)})")
    return faults


def _documented(schema: pa.Schema) -> pa.Schema:
    """The schema as pyiceberg reads column documentation: from the metadata key `doc`."""
    return pa.schema(
        [f.with_metadata({"doc": (f.metadata or {}).get(b"description", b"")}) for f in schema]
    )


def _head(table: Table) -> int:
    snapshot = table.current_snapshot()
    if snapshot is None:
        raise CatalogError(f"Table {table.name()} has no snapshot after a commit.")
    return int(snapshot.snapshot_id)
