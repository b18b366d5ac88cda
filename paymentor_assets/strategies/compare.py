"""How a recomputed day differs from the published one, in words a person can act on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pyarrow as pa

from paymentor_assets.audit.publications import Publication, read_table
from resources.lakehouse import Lakehouse, TableContract

#: Provenance that may be newer while the decisions are the same: a later ingestion publication adds
#: nothing that was known at this cut-off. The first decision's provenance stands.
PROVENANCE = "input_publications"
_EXAMPLES = 3


def difference(
    lake: Lakehouse,
    published: Publication | None,
    tables: Mapping[TableContract, pa.Table],
    day: date,
) -> dict[str, str]:
    """Table name to a sentence for every table whose rows differ; empty when none does."""
    found: dict[str, str] = {}
    for contract, rows in tables.items():
        if published is None or contract.name not in published.tables:
            found[contract.name] = f"{rows.num_rows} rows, never published"
            continue
        sentence = _compare(contract, read_table(lake, published, contract, day), rows)
        if sentence:
            found[contract.name] = sentence
    return found


def _compare(contract: TableContract, before: pa.Table, after: pa.Table) -> str | None:
    compared = [name for name in contract.column_names if name != PROVENANCE]
    order = [(name, "ascending") for name in contract.key]
    old = before.cast(contract.schema).select(compared).sort_by(order)
    new = after.select(compared).sort_by(order)
    if old.equals(new):
        return None
    old_rows = {_key(contract, row): row for row in old.to_pylist()}
    new_rows = {_key(contract, row): row for row in new.to_pylist()}
    gone = sorted(old_rows.keys() - new_rows.keys())
    come = sorted(new_rows.keys() - old_rows.keys())
    changed = [key for key in sorted(old_rows.keys() & new_rows.keys())
               if old_rows[key] != new_rows[key]]  # fmt: skip
    columns = sorted(
        {name for key in changed for name in compared if old_rows[key][name] != new_rows[key][name]}
    )
    parts = [f"{old.num_rows} rows published, {new.num_rows} now"]
    for label, keys in (("no longer there", gone), ("new", come), ("changed", changed)):
        if keys:
            shown = ", ".join("/".join(key[2:]) for key in keys[:_EXAMPLES])
            more = f" and {len(keys) - _EXAMPLES} more" if len(keys) > _EXAMPLES else ""
            parts.append(f"{len(keys)} {label} ({shown}{more})")
    if columns:
        parts.append(f"columns {', '.join(columns)}")
    return "; ".join(parts)


def _key(contract: TableContract, row: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in contract.key)
