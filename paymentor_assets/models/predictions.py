"""What a version said and what came of it: the predictions that its approval is judged by.

They are stored in the artefact beside the model, so that checks need neither the extract nor
another run, and a champion can be compared after its extract is gone. At most MOST_ROWS rows of
each part are kept, evenly spaced in the extract's order: more would make the artefact big and the
figures no other.

Does not belong here: what is made of them (`approval_checks`).
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from paymentor_assets.models import family_spec
from paymentor_assets.models.learning.columns import Floats
from resources.errors import ContractError

#: A segment is the number of one and has no outcome; an order is a place between 0 and 1.
Kind = Literal[family_spec.Kind, "segment", "order"]
Ints = npt.NDArray[np.int64]

MOST_ROWS = 20_000
#: The artefact's file.
EVALUATION_FILE = "evaluation.parquet"
EVALUATION_SCHEMA = pa.schema(
    [
        pa.field("target", pa.string()),
        pa.field("kind", pa.string()),
        #: `train` or `test`, the later days.
        pa.field("part", pa.string()),
        pa.field("as_of_date", pa.date32()),
        #: A number of the borrower, of this file only.
        pa.field("borrower", pa.int32()),
        #: Null in `train`, and where there is no outcome.
        pa.field("actual", pa.float64()),
        pa.field("predicted", pa.float64()),
        #: The row's group by the family's protected expression, where it has one and it is known.
        pa.field("protected", pa.string()),
    ]
)


@dataclass(frozen=True)
class Part:
    """Predictions of some rows, shape (rows,) each.

    `borrower` numbers whom a row is about: several days of one borrower are evidence once.
    """

    borrower: Ints
    day: npt.NDArray[np.datetime64]
    predicted: Floats


@dataclass(frozen=True)
class Predictions:
    """What a target's model says of the later days, and of those it was learned from."""

    kind: Kind
    test: Part
    #: Outcomes of the later days, shape (test rows,); NaN of a segment.
    actual: Floats
    train: Part
    #: Groups of the later rows as text, null where unknown; None where the family declares none.
    protected: npt.NDArray[np.object_] | None = None


def borrowers_of(part: Part) -> int:
    """How many borrowers the rows of a part are about."""
    return len(np.unique(part.borrower))


def evenly(rows: Ints) -> Ints:
    """At most MOST_ROWS of these row numbers, evenly spaced; the same every time."""
    if len(rows) <= MOST_ROWS:
        return rows
    return rows[np.linspace(0, len(rows) - 1, MOST_ROWS).astype(np.int64)]


def evaluation_bytes(predictions: Mapping[str, Predictions]) -> bytes:
    """The content of EVALUATION_FILE; the same predictions give the same bytes."""
    tables = [
        table
        for target, found in predictions.items()
        for table in (
            _table(target, found.kind, "test", found.test, found.actual, found.protected),
            _table(target, found.kind, "train", found.train),
        )
    ]
    buffer = io.BytesIO()
    pq.write_table(pa.concat_tables(tables), buffer, compression="zstd")
    return buffer.getvalue()


def read_evaluation(files: Mapping[str, bytes], what: str) -> dict[str, Predictions]:
    """Predictions by target out of an artefact's files; empty when it stores none.

    Raises ContractError naming `what` when the file is there and not what it should be.
    """
    if EVALUATION_FILE not in files:
        return {}
    try:
        rows = pq.read_table(io.BytesIO(files[EVALUATION_FILE])).select(EVALUATION_SCHEMA.names)
        frame = rows.cast(EVALUATION_SCHEMA).to_pandas()
    except (pa.ArrowInvalid, KeyError, ValueError) as error:
        raise ContractError(f"{what}: {EVALUATION_FILE} cannot be read: {error}") from error
    found: dict[str, Predictions] = {}
    for target, of_target in frame.groupby("target", sort=True):
        test, train = (of_target[of_target["part"] == part] for part in ("test", "train"))
        kind = of_target["kind"].iloc[0]
        if kind not in get_args(Kind):
            raise ContractError(f"{what}: {EVALUATION_FILE} has predictions of kind {kind!r}.")
        groups = test["protected"]
        found[str(target)] = Predictions(
            kind=kind,
            test=_part(test),
            actual=test["actual"].to_numpy(np.float64),
            train=_part(train),
            protected=None
            if groups.isna().all()
            else groups.astype(object).where(groups.notna(), None).to_numpy(dtype=object),
        )
    return found


def _part(rows: pd.DataFrame) -> Part:
    return Part(
        borrower=rows["borrower"].to_numpy(np.int64),
        day=rows["as_of_date"].to_numpy("datetime64[D]"),
        predicted=rows["predicted"].to_numpy(np.float64),
    )


def _table(
    target: str,
    kind: str,
    name: str,
    part: Part,
    actual: Floats | None = None,
    protected: npt.NDArray[np.object_] | None = None,
) -> pa.Table:
    rows = len(part.predicted)
    return pa.table(
        {
            "target": pa.repeat(target, rows),
            "kind": pa.repeat(kind, rows),
            "part": pa.repeat(name, rows),
            "as_of_date": part.day.astype("datetime64[D]"),
            "borrower": part.borrower,
            "actual": pa.nulls(rows) if actual is None else pa.array(actual, from_pandas=True),
            "predicted": part.predicted,
            "protected": pa.nulls(rows) if protected is None else pa.array(protected, pa.string()),
        }
    ).cast(EVALUATION_SCHEMA)
