"""What a build reads: the newest publications, turned into pins."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from paymentor_assets.audit.publications import Publication, newest, require
from paymentor_assets.ids import deterministic_id
from paymentor_assets.lenders import Lender, load_lenders
from paymentor_assets.settings import Settings
from resources.clock import Clock, SystemClock
from resources.lakehouse import Lakehouse
from resources.warehouse import BuildContext, BuildLender, Pin

INGESTION = "ingestion"
ENGAGEMENT = "engagement"


@dataclass(frozen=True)
class BuildInputs:
    """The context of a build and the publications it was made from."""

    context: BuildContext
    publications: tuple[Publication, ...]

    def only(self, days: Collection[date]) -> BuildInputs:
        """The same inputs for fewer days."""
        (lender,) = self.context.lenders
        fewer = replace(lender, as_of_dates=tuple(sorted(days)))
        return replace(self, context=replace(self.context, lenders=(fewer,)))

    @property
    def known_through(self) -> date:
        """The last closed day that files speak of."""
        return self.context.lenders[0].known_through

    @property
    def terms_id(self) -> str:
        """The id of what the lender's contract contributes: its zone and cut-off."""
        (lender,) = self.context.lenders
        return deterministic_id(
            "lender-terms", lender.lender_id, lender.time_zone, lender.daily_cutoff.isoformat()
        )

    @property
    def all_ids(self) -> list[str]:
        """Ids of everything that is read: the publications and the lender's terms."""
        return [*(publication.publication_id for publication in self.publications), self.terms_id]


def pinned_inputs(
    lake: Lakehouse, lender: Lender, days: Sequence[date], clock: Clock
) -> BuildInputs:
    """Pin the newest publications of a lender for a build of these days.

    Raises PublicationError when nothing was ingested yet; engagement may be absent.
    """
    ingestion = require(lake, INGESTION, lender.lender_id)
    engagement = newest(lake, ENGAGEMENT, lender.lender_id)
    publications = (ingestion,) if engagement is None else (ingestion, engagement)
    return BuildInputs(
        BuildContext((_build_lender(lender, days, ingestion, clock),), _pins(lake, publications)),
        publications,
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
        days = [ingestion.as_of_date]
        lenders.append(_build_lender(lender, days, ingestion, SystemClock()))
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


def _build_lender(
    lender: Lender, days: Sequence[date], ingestion: Publication, clock: Clock
) -> BuildLender:
    return BuildLender(
        lender.lender_id,
        lender.zone,
        lender.daily_cutoff,
        # Files of a day that is still open must not close anybody's horizon.
        min(ingestion.as_of_date, lender.last_closed_day(clock.now())),
        tuple(sorted(set(days))),
    )


def _pins(lake: Lakehouse, publications: Sequence[Publication]) -> dict[str, Pin]:
    return {
        name: Pin(lake.metadata_location(name), table.snapshot_id)
        for publication in publications
        for name, table in publication.tables.items()
    }
