"""What the Dagster UI shows of every asset, in one form everywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

import dagster as dg
import pyarrow as pa

from paymentor_assets.audit.publications import Publication
from resources.lakehouse import TableContract

DATA_ENGINEERING = "team:data-engineering"
DATA_SCIENCE = "team:data-science"
RISK = "team:risk"
_PREVIEW_ROWS = 5


def asset_key(contract: TableContract) -> dg.AssetKey:
    """Asset key = lakehouse table."""
    return dg.AssetKey(contract.name.split("."))


def table_metadata(contract: TableContract) -> dict[str, object]:
    """Definition metadata: the column schema with descriptions, and the key."""
    columns = [
        dg.TableColumn(
            f.name,
            type=str(f.type),
            description=(f.metadata or {}).get(b"description", b"").decode(),
            constraints=dg.TableColumnConstraints(nullable=f.nullable),
        )
        for f in contract.schema
    ]
    return {
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "dagster/table_name": contract.name,
        "key": ", ".join(contract.key),
    }


def published_metadata(
    publication: Publication, name: str, preview: pa.Table | None = None
) -> dict[str, dg.MetadataValue]:
    """Materialisation metadata of one published table: rows, snapshot, publication, preview."""
    published = publication.table(name)
    metadata: dict[str, dg.MetadataValue] = {
        "dagster/row_count": dg.MetadataValue.int(sum(published.rows.values())),
        # Text: snapshot ids are 64-bit, and the browser's numbers are not.
        "iceberg_snapshot_id": dg.MetadataValue.text(str(published.snapshot_id)),
        "publication_id": dg.MetadataValue.text(publication.publication_id),
        "is_new_publication": dg.MetadataValue.bool(publication.is_new),
        "inputs": dg.MetadataValue.json(list(publication.inputs)),
    }
    if published.digests:
        metadata["content_digest"] = dg.MetadataValue.json(dict(published.digests))
    if preview is not None:
        metadata["preview"] = preview_metadata(preview)
    return metadata


def lineage_metadata(columns: Mapping[str, Sequence[Sequence[str]]]) -> dict[str, dg.MetadataValue]:
    """Materialisation metadata: of which columns, as (schema, table, column), each one is made."""
    deps = {
        column: [
            dg.TableColumnDep(asset_key=dg.AssetKey(path[:-1]), column_name=path[-1])
            for path in paths
        ]
        for column, paths in columns.items()
    }
    return {
        "dagster/column_lineage": dg.MetadataValue.column_lineage(
            dg.TableColumnLineage(deps_by_column=deps)
        )
    }


def preview_metadata(rows: pa.Table) -> dg.MetadataValue:
    """The first few rows as a Markdown table; the caller sees to it that they hold tokens only."""
    head = rows.slice(0, _PREVIEW_ROWS)
    lines = [
        "| " + " | ".join(head.column_names) + " |",
        "|" + " --- |" * len(head.column_names),
    ]
    lines += ["| " + " | ".join(_cell(v) for v in row.values()) + " |" for row in head.to_pylist()]
    return dg.MetadataValue.md("\n".join(lines))


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | int | float | Decimal | date | str):
        return str(value).replace("|", "\\|")
    if isinstance(value, Mapping | list):
        return json.dumps(value, default=str).replace("|", "\\|")
    return str(value).replace("|", "\\|")
