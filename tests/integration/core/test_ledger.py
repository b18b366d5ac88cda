"""The ledger: whoever changes, removes or slips in an entry is found out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, insert, select, update

from paymentor_assets.audit.ledger import GENESIS, append, hash_payload, verify
from resources.clock import FixedClock
from resources.errors import LedgerError
from resources.operational_schema import ledger
from resources.operational_store import OperationalStore

NOON = datetime(2026, 6, 30, 12, 0, 0, 500, tzinfo=UTC)


def add(store: OperationalStore, number: int) -> int:
    with store.write() as connection:
        return append(
            connection,
            clock=FixedClock(NOON + timedelta(seconds=number)),
            actor="officer",
            kind="test",
            subject=f"subject-{number}",
            payload={"number": number, "list": [1, 2]},
        )


@pytest.fixture
def chain(store: OperationalStore) -> OperationalStore:
    """A ledger of five entries."""
    assert verify(store) == 0
    assert [add(store, n) for n in range(1, 6)] == [1, 2, 3, 4, 5]
    assert verify(store) == 5
    return store


def test_the_first_entry_points_to_nothing_and_each_next_to_the_one_before(
    chain: OperationalStore,
) -> None:
    with chain.read() as connection:
        entries = connection.execute(select(ledger).order_by(ledger.c.seq)).all()
    assert [e.prev_hash for e in entries] == [GENESIS, *(e.hash for e in entries[:-1])]
    assert entries[0].payload_hash == hash_payload({"list": [1, 2], "number": 1})


@pytest.mark.parametrize(
    "change",
    [
        {"actor": "somebody else"},
        {"kind": "other"},
        {"subject": "subject-9"},
        {"payload_hash": "0" * 64},
        {"at_utc": datetime(2026, 6, 30, 12, 0, 3, 501)},  # noqa: DTZ001
        {"hash": "f" * 64},
        {"prev_hash": "f" * 64},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_entry_is_found(chain: OperationalStore, change: dict[str, object]) -> None:
    with chain.write() as connection:
        connection.execute(update(ledger).where(ledger.c.seq == 3).values(**change))
    with pytest.raises(LedgerError, match=r"Ledger entry [34] \("):
        verify(chain)


@pytest.mark.parametrize("seq", [1, 3])
def test_a_removed_entry_is_found(chain: OperationalStore, seq: int) -> None:
    with chain.write() as connection:
        connection.execute(delete(ledger).where(ledger.c.seq == seq))
    with pytest.raises(LedgerError, match=f"Ledger entry {seq + 1} "):
        verify(chain)


@pytest.mark.parametrize("seq", [0, 6])
def test_an_entry_slipped_in_is_found(chain: OperationalStore, seq: int) -> None:
    with chain.write() as connection:
        connection.execute(
            insert(ledger).values(
                seq=seq, at_utc=NOON.replace(tzinfo=None), actor="intruder", kind="test",
                subject="forged", payload_hash="1" * 64, prev_hash="2" * 64, hash="3" * 64,
            )
        )  # fmt: skip
    with pytest.raises(LedgerError, match=rf"Ledger entry {seq} \(test forged\)"):
        verify(chain)


def test_swapped_entries_are_found(chain: OperationalStore) -> None:
    with chain.write() as connection:
        for old, new in ((2, 99), (3, 2), (99, 3)):
            connection.execute(update(ledger).where(ledger.c.seq == old).values(seq=new))
    with pytest.raises(LedgerError, match="Ledger entry 2 "):
        verify(chain)


def test_an_entry_of_a_transaction_that_failed_does_not_exist(chain: OperationalStore) -> None:
    with pytest.raises(ValueError), chain.write() as connection:
        append(connection, clock=FixedClock(NOON), actor="a", kind="k", subject="s", payload={})
        raise ValueError
    assert verify(chain) == 5
    add(chain, 6)
    assert verify(chain) == 6


def test_appends_of_many_at_once_make_one_chain(store: OperationalStore) -> None:
    with ThreadPoolExecutor(4) as pool:
        numbers = list(pool.map(lambda n: add(store, n), range(24)))
    assert sorted(numbers) == list(range(1, 25))
    assert verify(store) == 24


def test_the_payload_hash_does_not_depend_on_the_order_of_its_keys() -> None:
    assert hash_payload({"a": 1, "b": None}) == hash_payload({"b": None, "a": 1})
    assert hash_payload({"a": 1}) != hash_payload({"a": "1"})
