"""`paymentor lender check`: whose file it is, and a dry run of it."""

from __future__ import annotations

import re
from pathlib import Path

from paymentor_assets.deployment import Deployment
from paymentor_assets.ingestion.consents.facts import ConsentFacts, needs_facts
from paymentor_assets.ingestion.contracts.book import ContractBook
from paymentor_assets.ingestion.contracts.model import FeedContract
from paymentor_assets.ingestion.dry_run import Verdict, dry_run
from paymentor_assets.lenders import Lender, lender_named
from resources.errors import NotFound, UsageError

_DATED = re.compile(r"(?P<feed>[a-z][a-z0-9_]*?)_\d{4}-\d{2}-\d{2}")


def check(deployment: Deployment, path: Path, lender_id: str | None, feed: str | None) -> Verdict:
    """What would become of the file.

    Raises NotFound for an unknown file, lender or feed, UsageError when neither place nor options
    say whose file it is, ContractError when a contract is malformed.
    """
    if not path.is_file():
        raise NotFound(f"There is no file {path}.")
    place = _place(deployment, path)
    lender_id = lender_id or place[0] or _only(list(deployment.lenders))
    if lender_id is None:
        raise UsageError(f"{path} stands in no landing folder; say whose it is with --lender.")
    lender = lender_named(deployment.lenders, lender_id)
    feeds = ContractBook(deployment.settings.lenders_dir).feeds(lender_id)
    feed = feed or place[1] or _named(path)
    if feed is None:
        raise UsageError(f"The name of {path} does not say its feed; say it with --feed.")
    if feed not in feeds:
        raise NotFound(f"No feed {feed!r}; there are {', '.join(sorted(feeds))}.")
    consents = _consents(deployment, lender, feeds[feed])
    return dry_run(
        path,
        lender,
        feeds,
        feed,
        deployment.receipt_clock,
        deployment.pgp_keys,
        deployment.session_keys,
        consents,
    )


def _place(deployment: Deployment, path: Path) -> tuple[str | None, str | None]:
    """Lender and feed of a file that stands in its landing folder."""
    landing = deployment.settings.landing_dir.resolve()
    resolved = path.resolve()
    if not resolved.is_relative_to(landing):
        return None, None
    parts = resolved.relative_to(landing).parts
    return (parts[0], parts[1]) if len(parts) == 3 else (None, None)


def _only(lender_ids: list[str]) -> str | None:
    return lender_ids[0] if len(lender_ids) == 1 else None


def _named(path: Path) -> str | None:
    match = _DATED.match(path.name)
    return match["feed"] if match else None


def _consents(
    deployment: Deployment, lender: Lender, contract: FeedContract
) -> ConsentFacts | None:
    """What is on record, read without making a catalog where there is none yet."""
    if not needs_facts(contract):
        return None
    settings = deployment.settings
    is_embedded = settings.catalog_properties.get("type") == "sql"
    if is_embedded and not settings.lakehouse_dir.exists():
        return ConsentFacts.none()
    return ConsentFacts.of(deployment.lakehouse, lender.lender_id)
