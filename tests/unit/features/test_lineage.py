"""Column lineage is kept by code version and comes back as it was."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from paymentor_assets.features.lineage import keep, kept, lineage_path


def test_lineage_comes_back_as_it_was_found(tmp_path: Path) -> None:
    lineage = dg.TableColumnLineage(
        {
            "income_monthly": [
                dg.TableColumnDep(asset_key=dg.AssetKey(["raw", "aa"]), column_name="amount")
            ]
        }
    )
    path = lineage_path(tmp_path, "abc")
    keep(
        path,
        {
            "features__customer_profile": {
                "dagster/column_lineage": dg.MetadataValue.column_lineage(lineage),
                "other": dg.MetadataValue.int(1),
            },
            "staging__stg_x": {},
        },
    )
    found = kept(path)
    assert list(found) == ["features__customer_profile"]
    assert found["features__customer_profile"]["dagster/column_lineage"].value == lineage
