"""What a publication is, and how it stands as a row of `audit.publications`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa

from resources.clock import Clock, naive_utc
from resources.errors import PublicationError
from resources.lakehouse import TIMESTAMP, TableContract, column

PUBLICATIONS = TableContract(
    name="audit.publications",
    description="One row makes the tables it names visible together, at the snapshots it names.",
    key=("sequence",),
    schema=pa.schema(
        [
            column("publication_id", pa.string(), "Deterministic id of what was published."),
            column("sequence", pa.int64(), "1, 2, 3 … in order of publication."),
            column("stage", pa.string(), "Stage of the lineage that published."),
            column("lender_id", pa.string(), "Lender whose rows these are."),
            column("as_of_date", pa.date32(), "Day, or the last of the days, that is covered."),
            column("as_of_dates", pa.string(), "All days covered, as a JSON list."),
            column("run_id", pa.string(), "Dagster run that published."),
            column("code_version", pa.string(), "Version of the code of the stage."),
            column(
                "tables", pa.string(), "JSON: table name to snapshot id, digests and rows by day."
            ),
            column("inputs", pa.string(), "JSON list of the publication ids that were read."),
            column("published_at_utc", TIMESTAMP, "When, by the clock of the run."),
        ]
    ),
    # A blind retry would publish a second row with the same sequence.
    properties={"commit.retry.num-retries": "0"},
)


@dataclass(frozen=True)
class RunInfo:
    """Who is publishing: the run, the code, and the clock it lives by."""

    run_id: str
    code_version: str
    clock: Clock


@dataclass(frozen=True)
class PublishedTable:
    """One table of a publication: its snapshot, and digest and row count by ISO day."""

    snapshot_id: int
    digests: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Publication:
    """One row of `audit.publications`."""

    publication_id: str
    sequence: int
    stage: str
    lender_id: str
    as_of_date: date
    as_of_dates: tuple[date, ...]
    run_id: str
    code_version: str
    tables: Mapping[str, PublishedTable]
    inputs: tuple[str, ...]
    #: False when the content was already published and nothing was committed.
    is_new: bool = False

    def table(self, name: str) -> PublishedTable:
        """The published table, or PublicationError naming what there is."""
        try:
            return self.tables[name]
        except KeyError:
            raise PublicationError(
                f"Publication {self.publication_id} of stage {self.stage} has no table {name}; "
                f"it has {', '.join(sorted(self.tables))}."
            ) from None


def to_row(publication: Publication, run: RunInfo) -> pa.Table:
    """One row of `audit.publications`."""
    tables = {
        name: {"snapshot_id": t.snapshot_id, "digests": dict(t.digests), "rows": dict(t.rows)}
        for name, t in sorted(publication.tables.items())
    }
    row = {
        "publication_id": publication.publication_id,
        "sequence": publication.sequence,
        "stage": publication.stage,
        "lender_id": publication.lender_id,
        "as_of_date": publication.as_of_date,
        "as_of_dates": json.dumps([d.isoformat() for d in publication.as_of_dates]),
        "run_id": publication.run_id,
        "code_version": publication.code_version,
        "tables": json.dumps(tables),
        "inputs": json.dumps(list(publication.inputs)),
        "published_at_utc": naive_utc(run.clock.now()),
    }
    return pa.Table.from_pylist([row], schema=PUBLICATIONS.schema)


def from_row(row: Mapping[str, object]) -> Publication:
    """The publication that a row of `audit.publications` tells of."""
    tables = json.loads(str(row["tables"]))
    as_of_date, sequence = row["as_of_date"], row["sequence"]
    assert isinstance(as_of_date, date) and isinstance(sequence, int)
    return Publication(
        publication_id=str(row["publication_id"]),
        sequence=sequence,
        stage=str(row["stage"]),
        lender_id=str(row["lender_id"]),
        as_of_date=as_of_date,
        as_of_dates=tuple(date.fromisoformat(d) for d in json.loads(str(row["as_of_dates"]))),
        run_id=str(row["run_id"]),
        code_version=str(row["code_version"]),
        tables={
            name: PublishedTable(t["snapshot_id"], t["digests"], t["rows"])
            for name, t in tables.items()
        },
        inputs=tuple(json.loads(str(row["inputs"]))),
    )
