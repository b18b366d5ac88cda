"""What a build reads: the newest publications, turned into pins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from paymentor_assets.audit.publications import Publication, newest, require
from paymentor_assets.lenders import Lender, load_lenders
from paymentor_assets.settings import Settings
from resources.lakehouse import Lakehouse
from resources.warehouse import BuildContext, BuildLender, Pin

INGESTION = "ingestion"
ENGAGEMENT = "engagement"


@dataclass(frozen=True)
class BuildInputs:
    """The context of a build and the publications it was made from."""

    context: BuildContext
    publications: tuple[Publication, ...]

    @property
    def publication_ids(self) -> list[str]:
        """Ids of the publications that are read."""
        return [publication.publication_id for publication in self.publications]


def pinned_inputs(lake: Lakehouse, lender: Lender, days: Sequence[date]) -> BuildInputs:
    """Pin the newest publications of a lender for a build of these days.

    Raises PublicationError when nothing was ingested yet; engagement may be absent.
    """
    ingestion = require(lake, INGESTION, lender.lender_id)
    engagement = newest(lake, ENGAGEMENT, lender.lender_id)
    publications = (ingestion,) if engagement is None else (ingestion, engagement)
    return BuildInputs(
        BuildContext((_build_lender(lender, days),), _pins(lake, publications)), publications
    )


def developer_context() -> BuildContext:
    """The context of a `dbt build` by hand: all lenders, each at its newest ingested day.

    Without a lake there are no lenders, and every model is built empty.
    """
    settings = Settings.load()
    if not _has_catalog(settings):
        return BuildContext((), {})
    lake = Lakehouse(settings.catalog_properties)
    lenders: list[BuildLender] = []
    publications: list[Publication] = []
    for lender in load_lenders(settings.lenders_dir).values():
        ingestion = newest(lake, INGESTION, lender.lender_id)
        if ingestion is None:
            continue
        lenders.append(_build_lender(lender, [ingestion.as_of_date]))
        engagement = newest(lake, ENGAGEMENT, lender.lender_id)
        publications += [p for p in (ingestion, engagement) if p is not None]
    # Tables are shared by lenders: the later snapshot of one holds the rows of the earlier, so the
    # newest publication has the last word.
    publications.sort(key=lambda publication: publication.sequence)
    return BuildContext(tuple(lenders), _pins(lake, publications))


def _has_catalog(settings: Settings) -> bool:
    # Opening a SQLite catalog would make one; a look must not leave an empty lake behind.
    uri = settings.catalog_properties.get("uri", "")
    return not uri.startswith("sqlite:///") or Path(uri.removeprefix("sqlite:///")).exists()


def _build_lender(lender: Lender, days: Sequence[date]) -> BuildLender:
    return BuildLender(lender.lender_id, lender.zone, lender.daily_cutoff, tuple(sorted(set(days))))


def _pins(lake: Lakehouse, publications: Sequence[Publication]) -> dict[str, Pin]:
    return {
        name: Pin(lake.metadata_location(name), table.snapshot_id)
        for publication in publications
        for name, table in publication.tables.items()
    }
