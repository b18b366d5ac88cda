"""The operational store: writers one after the other, readers of committed state only."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from resources.crash_points import SimulatedCrash
from resources.errors import CatalogError
from resources.operational_schema import controls, file_index, suppressions
from resources.operational_store import OperationalStore

AT = datetime(2026, 6, 30, 12, 0, 0, 123456)  # noqa: DTZ001


def set_counter(connection: Connection, value: int) -> None:
    connection.execute(
        insert(controls).values(
            name="counter", value=str(value), actor="test", reason="counting", at_utc=AT
        )
    )


def counter(connection: Connection) -> int:
    newest = select(controls.c.value).order_by(controls.c.seq.desc()).limit(1)
    return int(connection.execute(newest).scalar() or 0)


def test_what_a_writer_read_stays_true_until_it_commits(store: OperationalStore) -> None:
    def count_up(_: int) -> None:
        with store.write() as connection:
            set_counter(connection, counter(connection) + 1)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count_up, range(40)))
    with store.read() as connection:
        assert counter(connection) == 40
        values = connection.execute(select(controls.c.value).order_by(controls.c.seq)).scalars()
        assert [int(v) for v in values] == list(range(1, 41))


@pytest.mark.parametrize("fault", [ValueError, SimulatedCrash, KeyboardInterrupt])
def test_a_writer_that_fails_leaves_nothing_and_blocks_nobody(
    store: OperationalStore, fault: type[BaseException]
) -> None:
    with pytest.raises(fault), store.write() as connection:
        set_counter(connection, 1)
        raise fault
    with store.write() as connection:
        assert counter(connection) == 0
        set_counter(connection, 2)
    with store.read() as connection:
        assert counter(connection) == 2


def test_a_reader_sees_committed_state_and_is_not_blocked_by_a_writer(
    store: OperationalStore,
) -> None:
    with store.write() as writing:
        set_counter(writing, 1)
        with store.read() as reading:
            assert counter(reading) == 0
    with store.read() as reading:
        assert counter(reading) == 1


def test_what_a_reader_writes_is_gone(store: OperationalStore) -> None:
    with store.read() as connection:
        set_counter(connection, 1)
    with store.read() as connection:
        assert counter(connection) == 0


def test_a_reader_that_fails_gives_its_connection_back(store: OperationalStore) -> None:
    for _ in range(30):  # more than a pool holds
        with pytest.raises(ValueError), store.read():
            raise ValueError
    with store.write() as connection:
        set_counter(connection, 1)


def test_instants_come_back_to_the_microsecond(store: OperationalStore) -> None:
    with store.write() as connection:
        set_counter(connection, 1)
    with store.read() as connection:
        assert connection.execute(select(controls.c.at_utc)).scalar() == AT


def test_one_event_makes_one_suppression(store: OperationalStore) -> None:
    def suppress(suppression_id: str) -> None:
        with store.write() as connection:
            connection.execute(
                insert(suppressions).values(
                    suppression_id=suppression_id, lender_id="north", customer_id="c",
                    channel="*", purpose="*", reason="stop", source_event_id="event-1",
                    effective_at_utc=AT,
                )
            )  # fmt: skip

    suppress("one")
    with pytest.raises(IntegrityError):
        suppress("two")


def test_a_store_can_be_closed_and_used_again(store: OperationalStore) -> None:
    with store.write() as connection:
        set_counter(connection, 7)
    store.close()
    store.close()
    with store.read() as connection:
        assert counter(connection) == 7


def made_earlier(store: OperationalStore, *lacking: str) -> OperationalStore:
    """The store as a version left it that did not know some columns of the file index."""
    with store.engine.begin() as connection:
        for name in lacking:
            connection.exec_driver_sql(f"ALTER TABLE file_index DROP COLUMN {name}")
        connection.exec_driver_sql(
            "INSERT INTO file_index (uri, etag, size_bytes, lender_id, feed, status, attempts, "
            "first_seen_utc) VALUES ('a', 'b', 1, 'north', 'payments', 'pending', 0, "
            "'2026-06-30 12:00:00')"
        )
    store.close()
    return store


def test_optional_columns_are_added_to_tables_of_an_earlier_version(
    store: OperationalStore,
) -> None:
    with made_earlier(store, "reason", "last_tried_utc").write() as connection:
        (row,) = connection.execute(select(file_index))
        assert (row.uri, row.reason, row.last_tried_utc) == ("a", None, None)
        connection.execute(update(file_index).values(reason="odd", last_tried_utc=AT))
    store.close()
    with store.read() as connection:
        (row,) = connection.execute(select(file_index))
    assert (row.reason, row.last_tried_utc) == ("odd", AT)


def test_processes_that_add_columns_together_do_not_collide(store: OperationalStore) -> None:
    made_earlier(store, "reason")
    stores = [OperationalStore(store.url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda each: each.engine, stores))
    for each in stores:
        with each.read() as connection:
            assert connection.execute(select(file_index.c.reason)).scalars().all() == [None]
        each.close()


def test_a_column_that_every_row_must_fill_is_not_invented(store: OperationalStore) -> None:
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE file_index DROP COLUMN feed")
    store.close()
    with pytest.raises(CatalogError, match=r"file_index .* lacks column feed"):
        _ = store.engine
    with pytest.raises(CatalogError, match="add and fill the column"), store.read():
        pass
