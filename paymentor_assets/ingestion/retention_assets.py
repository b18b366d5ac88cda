"""Retention in the asset graph: one step that deletes what is past its data life."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import pyarrow as pa

from paymentor_assets.asset_metadata import RISK, asset_key, preview_metadata, table_metadata
from paymentor_assets.audit.publications import RunInfo
from paymentor_assets.ingestion.assets import GROUP
from paymentor_assets.ingestion.contracts.tables import raw_tables
from paymentor_assets.ingestion.data_life import AA_PURGES
from paymentor_assets.ingestion.purge import purge
from paymentor_assets.lenders import Lender
from paymentor_assets.partitions import lenders_of
from resources.clock import Clock
from resources.lakehouse import Lakehouse
from resources.operational_store import OperationalStore

CODE_VERSION = "1"


@dg.multi_asset(
    name="aa_purges",
    specs=[
        dg.AssetSpec(
            asset_key(AA_PURGES),
            group_name=GROUP,
            owners=[RISK],
            kinds={"iceberg", "python"},
            code_version=CODE_VERSION,
            description=AA_PURGES.description,
            metadata=table_metadata(AA_PURGES),
            deps=[
                asset_key(raw_tables()[name])
                for name in ("raw.aa_accounts", "raw.aa_transactions", "raw.aa_consents")
            ],
        )
    ],
)
def aa_purges(
    context: dg.AssetExecutionContext,
    lakehouse: dg.ResourceParam[Lakehouse],
    operational_store: dg.ResourceParam[OperationalStore],
    lenders: dg.ResourceParam[Mapping[str, Lender]],
    clock: dg.ResourceParam[Clock],
    receipt_clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult[None]:
    """Delete data past its life of every lender of the run, and leave the proof."""
    run = RunInfo(context.run.run_id, CODE_VERSION, receipt_clock)
    done = [
        purge(lakehouse, operational_store, lender, run, clock=clock)
        for lender in lenders_of(context, lenders)
    ]
    proofs = pa.concat_tables([AA_PURGES.schema.empty_table(), *(p.proofs for p in done)])
    metadata: dict[str, Any] = {
        "proofs_written": proofs.num_rows,
        "rows_deleted": sum(sum(p.rows_deleted.values()) for p in done),
        "preview": preview_metadata(proofs.slice(0, 5)),
    }
    if publications := [p.publication for p in done if p.publication is not None]:
        metadata["publication_id"] = dg.MetadataValue.text(publications[-1].publication_id)
    return dg.MaterializeResult(metadata=metadata)


ASSETS: Sequence[dg.AssetsDefinition] = [aa_purges]
