"""Column lineage: a property of the code, worked out once a version and kept.

dagster-dbt parses and optimises the SQL of every model to find it, which costs more than the build
itself; the same SQL always gives the same answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

_LINEAGE = "dagster/column_lineage"


def lineage_path(folder: Path, code_version: str) -> Path:
    """Where the lineage of this version of the SQL is kept."""
    return folder / f"column_lineage_{code_version}.json"


def keep(path: Path, metadata_by_output: Mapping[str, Mapping[str, dg.MetadataValue]]) -> None:
    """Write down the lineage found in the metadata of a whole build's outputs."""
    content = {}
    for output, metadata in metadata_by_output.items():
        found = metadata.get(_LINEAGE)
        if isinstance(found, dg.TableColumnLineageMetadataValue):
            content[output] = {
                column: [[*dep.asset_key.path, dep.column_name] for dep in deps]
                for column, deps in found.value.deps_by_column.items()
            }
    scratch = path.with_suffix(".tmp")
    scratch.write_text(json.dumps(content, sort_keys=True))
    scratch.replace(path)


def kept(path: Path) -> dict[str, dict[str, dg.MetadataValue]]:
    """Lineage metadata by output name; empty for outputs that have none."""
    content: dict[str, dict[str, list[list[str]]]] = json.loads(path.read_text())
    return {
        output: {
            _LINEAGE: dg.MetadataValue.column_lineage(
                dg.TableColumnLineage(
                    {
                        column: [
                            dg.TableColumnDep(
                                asset_key=dg.AssetKey(path_[:-1]), column_name=path_[-1]
                            )
                            for path_ in deps
                        ]
                        for column, deps in columns.items()
                    }
                )
            )
        }
        for output, columns in content.items()
    }
