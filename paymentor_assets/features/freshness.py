"""Which days a build could change: their knowledge, SQL or outcomes are not what was published.

A row belongs to a day's knowledge when it was known at the day's cut-off. So a published day is
still right when, of every table it was built from, no data file was added or taken away since
whose earliest `_known_at` lies at or before that cut-off. The bounds stand in Iceberg's manifests:
nothing of the data is read. A rewritten file (compaction, a purge) counts as new, which costs a
build and never a wrong answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from pyiceberg.expressions import EqualTo

from paymentor_assets.audit.publications import Publication, all_publications
from paymentor_assets.features.context import BuildInputs
from paymentor_assets.features.publish import LABELS, STAGE, first_known_outcome
from paymentor_assets.lenders import Lender
from resources.clock import naive_utc
from resources.lakehouse import Lakehouse

#: Names under which tables say when a row became known, and whose it is.
_KNOWN = ("_known_at", "known_at", "purged_at_utc")
_LENDER = ("_lender_id", "lender_id")


@dataclass(frozen=True)
class Freshness:
    """Of the days asked for: why each of `stale` must be built; `published` covers the others."""

    stale: Mapping[date, str]
    published: Mapping[date, Publication]

    @property
    def nothing_new(self) -> bool:
        """Whether a build would find what is published already."""
        return not self.stale


def freshness(
    lake: Lakehouse,
    lender: Lender,
    inputs: BuildInputs,
    days: Sequence[date],
    code_version: str,
) -> Freshness:
    """Compare what a build of `days` would read with what the published days were built from."""
    history = all_publications(lake)
    by_id = {publication.publication_id: publication for publication in history}
    mine = [p for p in history if p.lender_id == lender.lender_id]
    features = _covering(mine, STAGE, days)
    labels = _covering(mine, LABELS, days)
    changes = _Changes(lake, lender, inputs)
    stale: dict[date, str] = {}
    for day in days:
        built = features.get(day)
        if built is None:
            stale[day] = "it was never built"
        elif built.code_version != code_version:
            stale[day] = f"it was built by version {built.code_version} of the SQL"
        elif inputs.terms_id not in built.inputs:
            stale[day] = "it was built with another zone or cut-off of the lender"
        else:
            told = changes.since(built, by_id, naive_utc(lender.cutoff_utc(day)))
            if told is None and inputs.known_through >= first_known_outcome(day):
                told = _outcomes_told(labels.get(day), inputs, code_version)
            if told is not None:
                stale[day] = told
    return Freshness(stale, {day: p for day, p in features.items() if day not in stale})


def _outcomes_told(
    labels: Publication | None, inputs: BuildInputs, code_version: str
) -> str | None:
    """Outcomes are only sure to be the same when they come from the same inputs."""
    if labels is None:
        return "its outcomes became known and were never published"
    if labels.code_version != code_version or not set(inputs.all_ids) <= set(labels.inputs):
        return "its outcomes may be better known"
    return None


def _covering(
    history: Sequence[Publication], stage: str, days: Sequence[date]
) -> dict[date, Publication]:
    wanted = set(days)
    found: dict[date, Publication] = {}
    for publication in history:
        if publication.stage == stage:
            found |= dict.fromkeys(wanted.intersection(publication.as_of_dates), publication)
    return found


class _Changes:
    """What became known between two sets of pins; each pair of snapshots is compared once."""

    def __init__(self, lake: Lakehouse, lender: Lender, inputs: BuildInputs) -> None:
        self._lake = lake
        self._lender_id = lender.lender_id
        self._now = {
            name: table.snapshot_id
            for publication in inputs.publications
            for name, table in publication.tables.items()
        }
        self._compared: dict[tuple[str, int | None], list[datetime] | None] = {}

    def since(
        self, built: Publication, by_id: Mapping[str, Publication], cutoff: datetime
    ) -> str | None:
        """A sentence about what the cut-off lets in that the build had not read; else None."""
        before = {
            name: table.snapshot_id
            for publication_id in built.inputs
            if publication_id in by_id
            for name, table in by_id[publication_id].tables.items()
        }
        for name, snapshot in sorted(self._now.items()):
            if before.get(name) == snapshot:
                continue
            known = self._first_known(name, before.get(name), snapshot)
            if known is None:
                return f"the snapshot of {name} that it was built from has expired"
            let_in = sum(at <= cutoff for at in known)
            if let_in:
                return f"{let_in} data files of {name} with rows known by its cut-off are new"
        return None

    def _first_known(self, name: str, old: int | None, new: int) -> list[datetime] | None:
        """The earliest knowledge of each file that only one snapshot has; None: not to be told."""
        if (name, old) not in self._compared:
            columns = self._lake.load(name).schema().column_names
            known = next(c for c in _KNOWN if c in columns)
            mine = EqualTo(next(c for c in _LENDER if c in columns), self._lender_id)
            after = self._lake.earliest_by_file(name, new, known, mine)
            before = self._lake.earliest_by_file(name, old, known, mine) if old else {}
            self._compared[(name, old)] = (
                None
                if after is None or before is None
                else [(after | before)[path] for path in after.keys() ^ before.keys()]
            )
        return self._compared[(name, old)]
