"""Publications: several tables become visible together through one row in `audit.publications`.

No commit spans two Iceberg tables, so readers never look at table heads: they read the newest
publication row and pin the snapshots it names. Rows left by a run that died before its publication
row are invisible, and the retry replaces them (docs/adr/0004).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.expressions import And, BooleanExpression, EqualTo, In

from paymentor_assets.audit.digest import (
    EMPTY_DIGEST,
    DayDigest,
    content_digest,
    digests_by_day,
)
from paymentor_assets.audit.publication import (
    PUBLICATIONS,
    Publication,
    PublishedTable,
    RunInfo,
    from_row,
    to_row,
)
from paymentor_assets.ids import deterministic_id
from resources.crash_points import reach, register
from resources.errors import NotFound, PublicationError
from resources.lakehouse import Lakehouse, TableContract

register("audit.publish.after_table_commit", "audit.publish.before_row", "audit.publish.after_row")

__all__ = [
    "PUBLICATIONS",
    "Publication",
    "PublishedTable",
    "RunInfo",
    "all_publications",
    "compare_with_published",
    "covering",
    "lender_days",
    "newest",
    "publication_named",
    "publish_days",
    "publish_heads",
    "read_table",
    "require",
]

_COMMIT_ATTEMPTS = 8


def all_publications(
    lake: Lakehouse, *, stage: str | None = None, lender_id: str | None = None
) -> list[Publication]:
    """Publications in order of sequence, oldest first; empty before the first one."""
    if not lake.exists(PUBLICATIONS.name):
        return []
    wanted: list[BooleanExpression] = []
    if stage is not None:
        wanted.append(EqualTo("stage", stage))
    if lender_id is not None:
        wanted.append(EqualTo("lender_id", lender_id))
    row_filter = And(*wanted) if len(wanted) == 2 else (wanted[0] if wanted else None)
    rows = lake.scan(PUBLICATIONS.name, row_filter=row_filter)
    return [from_row(row) for row in sorted(rows.to_pylist(), key=lambda r: r["sequence"])]


def newest(
    lake: Lakehouse, stage: str, lender_id: str, day: date | None = None
) -> Publication | None:
    """The newest publication of a stage and lender, of one day when a day is given."""
    for publication in reversed(all_publications(lake, stage=stage, lender_id=lender_id)):
        if day is None or day in publication.as_of_dates:
            return publication
    return None


def covering(lake: Lakehouse, stage: str, lender_id: str) -> dict[date, Publication]:
    """The newest publication of every day that a stage has published for a lender."""
    found: dict[date, Publication] = {}
    for publication in all_publications(lake, stage=stage, lender_id=lender_id):
        found.update(dict.fromkeys(publication.as_of_dates, publication))
    return found


def require(lake: Lakehouse, stage: str, lender_id: str, day: date | None = None) -> Publication:
    """Like `newest`, but its absence is a PublicationError that says which stage to run."""
    publication = newest(lake, stage, lender_id, day)
    if publication is None:
        of_day = f" for {day.isoformat()}" if day else ""
        raise PublicationError(
            f"Stage {stage} of lender {lender_id} has published nothing{of_day}; "
            f"run that stage first (`paymentor run --date D` runs them all)."
        )
    return publication


def lender_days(lender_id: str, days: Sequence[date]) -> BooleanExpression:
    """The filter that selects exactly these days of this lender."""
    return And(EqualTo("lender_id", lender_id), In("as_of_date", [d.isoformat() for d in days]))


def publish_days(
    lake: Lakehouse,
    *,
    stage: str,
    lender_id: str,
    days: Sequence[date],
    tables: Mapping[TableContract, pa.Table],
    inputs: Sequence[str],
    run: RunInfo,
) -> Publication:
    """Replace exactly these days of this lender in every table, then make them visible together.

    Only days whose content differs from what is published are written; when none differs, nothing
    is committed and the newest publication is returned with `is_new=False`. Rows must carry
    `lender_id` and `as_of_date`, and nothing but the lender and days that are published. `tables`
    is gone through twice, one after the other: a mapping may read each when it is asked for.

    Raises PublicationError when a table holds rows of another lender or day, or repeats a key.
    """
    ordered = sorted(set(days))
    digests = {
        contract: _checked_digests(contract, rows, lender_id, ordered)
        for contract, rows in tables.items()
    }
    history = all_publications(lake, stage=stage, lender_id=lender_id)
    covering = {day: _covering(history, day) for day in ordered}
    changed = [
        day
        for day in ordered
        if any(
            _published_digest(covering[day], contract.name, day) != digests[contract][day].digest
            for contract in tables
        )
    ]
    if not changed:
        unchanged = covering[ordered[-1]]
        assert unchanged is not None
        return unchanged

    code_and_run = {"run-id": run.run_id, "code-version": run.code_version}
    previous = history[-1].publication_id if history else ""
    publication_id = deterministic_id(
        stage,
        lender_id,
        previous,
        run.code_version,
        json.dumps(sorted(inputs)),
        json.dumps([d.isoformat() for d in changed]),
        *(
            f"{contract.name}={digests[contract][day].digest}"
            for contract in sorted(tables, key=lambda c: c.name)
            for day in changed
        ),
    )
    published: dict[str, PublishedTable] = {}
    for contract, rows in tables.items():
        snapshot_id = _reusable_snapshot(covering, contract, digests[contract], changed)
        if snapshot_id is None:
            snapshot_id = lake.overwrite(
                contract,
                rows if changed == ordered else _rows_of(rows, changed),
                lender_days(lender_id, changed),
                {
                    **code_and_run,
                    "as-of-date": changed[-1].isoformat(),
                    "publication-id": publication_id,
                },
            )
            reach("audit.publish.after_table_commit")
        published[contract.name] = PublishedTable(
            snapshot_id,
            {d.isoformat(): digests[contract][d].digest for d in changed},
            {d.isoformat(): digests[contract][d].rows for d in changed},
        )
    return _publish(lake, publication_id, stage, lender_id, changed, published, inputs, run)


def publish_heads(
    lake: Lakehouse,
    *,
    stage: str,
    lender_id: str,
    day: date,
    tables: Mapping[str, int],
    run: RunInfo,
    inputs: Sequence[str] = (),
) -> Publication:
    """Make snapshots of append-only tables visible together.

    Tables of the lender's previous publication of this stage that are not named keep their
    snapshots. When nothing is newer, nothing is committed.
    """
    previous = newest(lake, stage, lender_id)
    merged = dict(previous.tables) if previous else {}
    merged.update({name: PublishedTable(snapshot) for name, snapshot in tables.items()})
    if previous is not None and dict(previous.tables) == merged:
        return previous
    publication_id = deterministic_id(
        stage,
        lender_id,
        previous.publication_id if previous else "",
        json.dumps({name: t.snapshot_id for name, t in sorted(merged.items())}),
    )
    day = max(day, previous.as_of_date) if previous else day
    return _publish(lake, publication_id, stage, lender_id, [day], merged, inputs, run)


def read_table(
    lake: Lakehouse,
    publication: Publication,
    contract: TableContract,
    day: date | None = None,
    columns: Sequence[str] = ("*",),
) -> pa.Table:
    """Rows of the publication's lender and day (by default its last), at the pinned snapshot.

    When maintenance has expired the snapshot, the head is read instead and accepted only if its
    digest equals the published one; otherwise PublicationError.
    """
    day = publication.as_of_date if day is None else day
    published = publication.table(contract.name)
    row_filter = lender_days(publication.lender_id, [day])
    if lake.has_snapshot(contract.name, published.snapshot_id):
        return lake.scan(contract.name, published.snapshot_id, row_filter, columns)
    rows = lake.scan(contract.name, None, row_filter)
    expected = published.digests.get(day.isoformat())
    if expected is None or content_digest(rows, contract).digest != expected:
        raise PublicationError(
            f"Snapshot {published.snapshot_id} of {contract.name} was expired, and the rows of "
            f"{day.isoformat()} no longer match publication {publication.publication_id}."
        )
    return rows if tuple(columns) == ("*",) else rows.select(list(columns))


def compare_with_published(
    lake: Lakehouse,
    *,
    stage: str,
    lender_id: str,
    day: date,
    tables: Mapping[TableContract, pa.Table],
) -> dict[str, str]:
    """What publishing these tables would change: table name to a sentence; empty when nothing."""
    covering = newest(lake, stage, lender_id, day)
    difference: dict[str, str] = {}
    for contract, rows in tables.items():
        digest = _checked_digests(contract, rows, lender_id, [day])[day]
        if _published_digest(covering, contract.name, day) == digest.digest:
            continue
        before = None
        if covering is not None and contract.name in covering.tables:
            before = covering.tables[contract.name].rows.get(day.isoformat())
        difference[contract.name] = (
            f"{digest.rows} rows now, {'never published' if before is None else f'{before} rows'}"
            " as published, with different content"
        )
    return difference


def _checked_digests(
    contract: TableContract, rows: pa.Table, lender_id: str, days: Sequence[date]
) -> dict[date, DayDigest]:
    lenders = set(rows.column("lender_id").unique().to_pylist())
    if lenders - {lender_id}:
        raise PublicationError(
            f"{contract.name}: rows of {sorted(map(str, lenders - {lender_id}))} were about to be "
            f"published as {lender_id}'s; nothing was written."
        )
    found = digests_by_day(rows, contract)
    strangers = [str(day) for day in found if day not in set(days)]
    if strangers:
        raise PublicationError(
            f"{contract.name}: rows of {strangers} are not among the days to publish "
            f"({days[0]} to {days[-1]}); nothing was written."
        )
    keys = rows.select(list(contract.key))
    if keys.group_by(list(contract.key)).aggregate([]).num_rows != rows.num_rows:
        raise PublicationError(
            f"{contract.name}: the key {contract.key} is not unique; nothing was written."
        )
    return {day: found.get(day, DayDigest(EMPTY_DIGEST, 0)) for day in days}


def _covering(history: Sequence[Publication], day: date) -> Publication | None:
    return next((p for p in reversed(history) if day in p.as_of_dates), None)


def _published_digest(publication: Publication | None, name: str, day: date) -> str | None:
    if publication is None or name not in publication.tables:
        return None
    return publication.tables[name].digests.get(day.isoformat())


def _reusable_snapshot(
    covering: Mapping[date, Publication | None],
    contract: TableContract,
    digests: Mapping[date, DayDigest],
    changed: Sequence[date],
) -> int | None:
    """The one snapshot that already holds all these days of the table unchanged, if any."""
    snapshots = set()
    for day in changed:
        publication = covering[day]
        if _published_digest(publication, contract.name, day) != digests[day].digest:
            return None
        assert publication is not None
        snapshots.add(publication.tables[contract.name].snapshot_id)
    return snapshots.pop() if len(snapshots) == 1 else None


def _rows_of(rows: pa.Table, days: Sequence[date]) -> pa.Table:
    wanted = pa.array(days, pa.date32())
    return rows.filter(pc.is_in(rows.column("as_of_date"), value_set=wanted))


def _publish(
    lake: Lakehouse,
    publication_id: str,
    stage: str,
    lender_id: str,
    days: Sequence[date],
    tables: Mapping[str, PublishedTable],
    inputs: Sequence[str],
    run: RunInfo,
) -> Publication:
    """Append the row that makes the tables visible; the day of the publication is its last."""
    publication = Publication(
        publication_id=publication_id,
        sequence=0,
        stage=stage,
        lender_id=lender_id,
        as_of_date=days[-1],
        as_of_dates=tuple(days),
        run_id=run.run_id,
        code_version=run.code_version,
        tables=tables,
        inputs=tuple(sorted(inputs)),
        is_new=True,
    )
    reach("audit.publish.before_row")
    for attempt in range(1, _COMMIT_ATTEMPTS + 1):
        # The sequence is read from the very metadata that the commit must build on: a writer that
        # was overtaken fails and reads again.
        table = lake.ensure(PUBLICATIONS)
        taken = table.scan(selected_fields=("sequence",)).to_arrow().column(0).to_pylist()
        numbered = replace(publication, sequence=max(taken, default=0) + 1)
        try:
            table.append(
                to_row(numbered, run),
                snapshot_properties={"run-id": run.run_id, "code-version": run.code_version},
            )
        except CommitFailedException as error:
            if attempt == _COMMIT_ATTEMPTS:
                raise PublicationError(
                    f"Publication of {publication.stage} was overtaken {attempt} times by other "
                    "writers; run it again."
                ) from error
            continue
        reach("audit.publish.after_row")
        return numbered
    raise AssertionError("unreachable")


def publication_named(lake: Lakehouse, publication_id: str) -> Publication:
    """The publication with this id; NotFound when there is none."""
    for publication in all_publications(lake):
        if publication.publication_id == publication_id:
            return publication
    raise NotFound(f"No publication {publication_id!r} in {PUBLICATIONS.name}.")
