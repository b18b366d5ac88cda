"""The operational store: SQLite (WAL) by default, PostgreSQL in production, one interface."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.schema import CreateColumn

from resources.errors import CatalogError
from resources.operational_schema import metadata

#: One lock for all writers on PostgreSQL, so that a transaction sees the effects of every earlier
#: one, as SQLite's BEGIN IMMEDIATE gives for nothing. The number only has to be ours.
_WRITER_LOCK = 7_305_810


class OperationalStore:
    """Transactions over the operational tables."""

    def __init__(self, url: str) -> None:
        self.url = url

    @cached_property
    def engine(self) -> Engine:
        """The SQLAlchemy engine, with the tables in place.

        Raises CatalogError for tables of another version that cannot be brought up to date.
        """
        url = make_url(self.url)
        if url.get_backend_name() == "sqlite":
            if url.database and url.database != ":memory:":
                Path(url.database).parent.mkdir(parents=True, exist_ok=True)
            engine = create_engine(url, connect_args={"timeout": 60})
            _prepare_sqlite(engine)
        else:
            engine = create_engine(url, pool_pre_ping=True)
        try:
            _make_tables(engine)
        except CatalogError:
            engine.dispose()
            raise
        return engine

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One serialised write transaction: what is read in it stays true until it commits."""
        with self.engine.connect() as connection:
            _begin_writing(connection)
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read-only look at committed state."""
        with self.engine.connect() as connection:
            if self.engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN")
            yield connection
            connection.rollback()

    def close(self) -> None:
        """Give the connections back."""
        if "engine" in self.__dict__:
            self.engine.dispose()
            del self.__dict__["engine"]


def _begin_writing(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_WRITER_LOCK})"))


def _make_tables(engine: Engine) -> None:
    """Make the tables, and add the optional columns that tables of an earlier version lack."""
    metadata.create_all(engine)
    lacking = _lacking(engine)
    for column in lacking:
        if not column.nullable:
            raise CatalogError(
                f"Table {column.table.name} of the operational store was made by another version: "
                f"it lacks column {column.name}, which every row must fill. Nothing was changed; "
                "add and fill the column as resources/operational_schema.py has it, then start "
                "again."
            )
    if not lacking:
        return
    with engine.begin() as connection:
        _begin_writing(connection)
        # Looked at again: another process may have begun together with this one.
        for column in _lacking(connection):
            definition = CreateColumn(column).compile(dialect=engine.dialect)
            connection.execute(text(f"ALTER TABLE {column.table.name} ADD COLUMN {definition}"))


def _lacking(bind: Engine | Connection) -> list[Column[Any]]:
    """Columns that the database's tables do not have."""
    found = inspect(bind).get_multi_columns()
    names = {name: {column["name"] for column in columns} for (_, name), columns in found.items()}
    return [
        column
        for table in metadata.sorted_tables
        for column in table.columns
        if column.name not in names[table.name]
    ]


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: object) -> None:
        # Autocommit at the driver: transactions begin where `write` and `read` say so, not where
        # the driver guesses.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()
