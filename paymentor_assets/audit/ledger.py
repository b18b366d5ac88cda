"""The audit ledger: append-only, hash-chained, written in the transaction it bears witness to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256

from sqlalchemy import Connection, insert, select

from resources.clock import Clock, naive_utc
from resources.errors import LedgerError
from resources.operational_schema import ledger
from resources.operational_store import OperationalStore

#: What the first entry points back to.
GENESIS = "0" * 64


def append(
    connection: Connection,
    *,
    clock: Clock,
    actor: str,
    kind: str,
    subject: str,
    payload: Mapping[str, object],
) -> int:
    """Add one entry inside the caller's write transaction; returns its sequence number.

    Only the hash of the payload is kept, so the ledger holds no personal data and yet proves what
    was said. Call it inside `OperationalStore.write()`, which serialises writers.
    """
    previous = connection.execute(
        select(ledger.c.hash).order_by(ledger.c.seq.desc()).limit(1)
    ).scalar()
    prev_hash = previous or GENESIS
    at_utc = naive_utc(clock.now())
    payload_hash = hash_payload(payload)
    result = connection.execute(
        insert(ledger).values(
            at_utc=at_utc,
            actor=actor,
            kind=kind,
            subject=subject,
            payload_hash=payload_hash,
            prev_hash=prev_hash,
            hash=_entry_hash(prev_hash, at_utc.isoformat(), actor, kind, subject, payload_hash),
        )
    )
    key = result.inserted_primary_key
    assert key is not None
    return int(key[0])


def verify(store: OperationalStore) -> int:
    """Walk the chain from the first entry; returns how many entries hold.

    Raises LedgerError naming the first entry that was altered, removed or inserted.
    """
    expected = GENESIS
    count = 0
    with store.read() as connection:
        for row in connection.execute(select(ledger).order_by(ledger.c.seq)):
            computed = _entry_hash(
                row.prev_hash, row.at_utc.isoformat(), row.actor, row.kind, row.subject,
                row.payload_hash,
            )  # fmt: skip
            if row.prev_hash != expected or row.hash != computed:
                raise LedgerError(
                    f"Ledger entry {row.seq} ({row.kind} {row.subject}) does not follow from the "
                    "entries before it: the ledger was altered at or before this entry."
                )
            expected = row.hash
            count += 1
    return count


def hash_payload(payload: Mapping[str, object]) -> str:
    """SHA-256 of the payload as canonical JSON (sorted keys, no spaces)."""
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"), default=str)
    return sha256(text.encode()).hexdigest()


def _entry_hash(*parts: str) -> str:
    return sha256("\x1f".join(parts).encode()).hexdigest()
