"""What would become of a file: the whole way of an ingestion, with nothing written.

The same code judges, parses and checks as in a real run. Only the ends differ: the vault lives in
memory, under keys that nobody has, and the rows go nowhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from paymentor_assets.ingestion.consents.facts import ConsentFacts
from paymentor_assets.ingestion.contracts.model import FeedContract
from paymentor_assets.ingestion.feed_batch import Context, process
from paymentor_assets.ingestion.ingest import scratch
from paymentor_assets.ingestion.intake import IncomingFile, receive
from paymentor_assets.ingestion.reconcile import Waiting
from paymentor_assets.ingestion.takings import DryTakings
from paymentor_assets.lenders import Lender
from resources.clock import Clock, FixedClock
from resources.landing_zone import LandedFile, landed_file
from resources.openpgp import PgpKeys
from resources.session_keys import SessionKeys
from resources.vault import Vault


@dataclass(frozen=True)
class Verdict:
    """What would become of a file: `file` has the status, the counts, the reason of a refusal.

    `rejected` are the rows that break the contract, as in `raw.rejected_rows`; also when there are
    so many that the file would be refused for them.
    """

    file: IncomingFile
    rejected: pa.Table

    @property
    def is_taken_whole(self) -> bool:
        """Whether nothing of the file would be refused."""
        return self.file.status == "ingested" and not self.rejected.num_rows


def dry_run(
    path: Path,
    lender: Lender,
    feeds: Mapping[str, FeedContract],
    feed: str,
    clock: Clock,
    pgp_keys: Callable[[str], PgpKeys],
    session_keys: Callable[[str], SessionKeys],
    consents: ConsentFacts | None = None,
) -> Verdict:
    """Take the file in as if it had landed in the lender's folder of the feed, and write nothing.

    `consents` are needed by feeds that rest on them (`needs_facts`).
    """
    verdict = _try(path, lender, feeds, feed, clock, pgp_keys, session_keys, consents)
    if verdict.file.reason_code != "TOO_MANY_REJECTED":
        return verdict
    # The rows of a refused file are not kept; without the limit they tell why it is refused.
    unlimited = lender.model_copy(update={"max_rejected_share": 1.0})
    lenient = {feed: feeds[feed].model_copy(update={"max_rejected_share": 1.0})}
    again = _try(path, unlimited, lenient, feed, clock, pgp_keys, session_keys, consents)
    return replace(verdict, rejected=again.rejected)


def _try(
    path: Path,
    lender: Lender,
    feeds: Mapping[str, FeedContract],
    feed: str,
    clock: Clock,
    pgp_keys: Callable[[str], PgpKeys],
    session_keys: Callable[[str], SessionKeys],
    consents: ConsentFacts | None,
) -> Verdict:
    landing = _OneFile(path, lender.lender_id, feed)
    now = FixedClock(clock.now())
    [file] = receive(landing, lender, feeds, [Waiting(landing.landed, 0)], [], now)
    takings = DryTakings()
    if file.status is None:
        vault = _passing_vault()
        try:
            with scratch() as (con, folder):
                keys = session_keys(lender.lender_id)
                context = Context(con, landing, vault, pgp_keys, lender, now, folder, keys)
                process(context, feeds[feed], [file], takings, consents)
        finally:
            vault.close()
    return Verdict(file, takings.rejected)


def _passing_vault() -> Vault:
    """A vault in memory; what is sealed in it is lost with the process."""
    keys = {size: os.urandom(size) for size in (32, 64)}
    return Vault(
        "sqlite://",
        vault_key=lambda: keys[64],
        token_key=lambda: keys[32],
        on_reveal=lambda reveal: None,
    )


class _OneFile:
    """A landing zone that holds one file, wherever that stands."""

    def __init__(self, path: Path, lender_id: str, feed: str) -> None:
        self._path = path
        self.landed = landed_file(
            f"{lender_id}/{feed}/{path.name}", etag="dry-run", size=path.stat().st_size
        )

    def list(self, since: date | None = None) -> list[LandedFile]:
        """The one file."""
        return [self.landed]

    def open(self, uri: str) -> BinaryIO:
        """Its bytes."""
        return self._path.open("rb")
