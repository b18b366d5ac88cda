"""Where feed contracts stand: the platform's in `feeds/`, a lender's own in its folder.

A lender's contract replaces the platform's for that lender and feed. It may say how the lender
writes its files, and ask more of them; it fills the same `raw.*` tables (`conformity`).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from paymentor_assets import connections
from paymentor_assets.ingestion.contracts.conformity import disagreements
from paymentor_assets.ingestion.contracts.model import FeedContract
from paymentor_assets.ingestion.contracts.odcs import read_contract
from paymentor_assets.ingestion.contracts.trial import untenable
from paymentor_assets.strict_yaml import read_text
from resources.errors import ContractError

FEEDS_DIR = Path(__file__).parent / "feeds"


def load_feed(path: Path) -> FeedContract:
    """Read one contract; raises ContractError naming the file and every fault in it."""
    contract = read_contract(read_text(path), str(path))
    if contract.feed != path.stem:
        raise ContractError(f"{path} names feed {contract.feed!r}; rename one of them.")
    return contract


@cache
def load_feeds() -> dict[str, FeedContract]:
    """Every feed contract of the platform by feed name."""
    feeds = [load_feed(path) for path in sorted(FEEDS_DIR.glob("*.yaml"))]
    return {contract.feed: contract for contract in feeds}


def feed_of_table() -> dict[str, FeedContract]:
    """Which feed fills which `raw.*` table."""
    return {record.table: feed for feed in load_feeds().values() for record in feed.records}


class ContractBook:
    """The feed contracts that hold for each lender of a folder, read when asked for.

    A lender's own contracts stand in `<folder>/<lender_id>/<feed>.yaml`.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def own(self, lender_id: str) -> dict[str, Path]:
        """The files of the lender's own contracts, by feed."""
        found = sorted((self._directory / lender_id).glob("*.yaml"))
        return {path.stem: path for path in found if path.name != connections.FILE_NAME}

    def feeds(self, lender_id: str) -> dict[str, FeedContract]:
        """The contract that holds for each feed: the lender's own, else the platform's.

        Raises ContractError when an own contract is malformed, is for a feed that the platform
        does not have, would not fill the tables of the platform's, or holds a pattern or condition
        that DuckDB cannot read.
        """
        feeds = dict(load_feeds())
        for feed, path in self.own(lender_id).items():
            if feed not in feeds:
                raise ContractError(
                    f"{path}: the platform has no feed {feed!r}; its feeds are "
                    f"{', '.join(sorted(feeds))}."
                )
            contract = load_feed(path)
            if faults := disagreements(contract, feeds[feed]):
                raise ContractError(
                    f"{path} does not agree with the platform's contract of feed {feed}: "
                    f"{'; '.join(faults)}."
                )
            if unreadable := untenable(contract):
                raise ContractError(
                    f"{path}: no row of lender {lender_id} could be held to its contract of feed "
                    f"{feed}: {'; '.join(unreadable)}. Write patterns in the syntax of RE2 and "
                    "conditions in the SQL of DuckDB."
                )
            feeds[feed] = contract
        return feeds
