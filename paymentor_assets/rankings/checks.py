"""What must hold of a published day of rankings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from paymentor_assets.audit.publications import Publication, read_table, require
from paymentor_assets.models.approvals import ApprovalEvent
from paymentor_assets.models.training_extract import FEATURES_STAGE, feature_contract
from paymentor_assets.rankings.tables import CUSTOMER_RANKINGS
from resources.lakehouse import Lakehouse

ALL_RANKED = "all_open_accounts_are_ranked"
UNIQUE_RANKS = "ranks_are_unique"
APPROVED_ONLY = "only_the_approved_version_scored"
CHECKS = {
    ALL_RANKED: "Every open account of the day's features has a ranking, and no other has.",
    UNIQUE_RANKS: "Ranks are 1 to n, each once, for each lender.",
    APPROVED_ONLY: "Every row names the version and the artefact hash of the approval in force.",
}


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    name: str
    is_passed: bool
    numbers: dict[str, int]


def check_day(
    lake: Lakehouse, rankings: Publication, day: date, approval: ApprovalEvent
) -> list[Finding]:
    """Check one published day of one lender: three findings, in the order of CHECKS."""
    rows = read_table(lake, rankings, CUSTOMER_RANKINGS, day)
    name = "features.account_features"
    features = require(lake, FEATURES_STAGE, rankings.lender_id, day)
    columns = ["account_id", "account_status"]
    accounts = read_table(lake, features, feature_contract(lake, name), day, columns)
    is_open = pc.equal(accounts.column("account_status"), "open")
    is_of_approval = pc.and_(
        pc.equal(rows.column("model_version"), str(approval.version)),
        pc.equal(rows.column("model_artefact_sha256"), approval.artefact_sha256),
    )
    return [
        _ranked(accounts.filter(is_open).column("account_id"), rows.column("account_id")),
        _unique(rows.column("rank")),
        Finding(
            APPROVED_ONLY,
            bool(pc.all(is_of_approval, min_count=0).as_py()),
            {"rows": rows.num_rows, "version": approval.version},
        ),
    ]


def _ranked(open_ids: pa.ChunkedArray, ranked_ids: pa.ChunkedArray) -> Finding:
    missing = pc.sum(pc.invert(pc.is_in(open_ids, value_set=ranked_ids)), min_count=0).as_py()
    surplus = pc.sum(pc.invert(pc.is_in(ranked_ids, value_set=open_ids)), min_count=0).as_py()
    return Finding(
        ALL_RANKED,
        missing == 0 and surplus == 0,
        {"open_accounts": len(open_ids), "missing": missing, "surplus": surplus},
    )


def _unique(ranks: pa.ChunkedArray) -> Finding:
    expected = pa.array(range(1, len(ranks) + 1), pa.int32())
    is_passed = ranks.combine_chunks().sort().equals(expected)
    return Finding(UNIQUE_RANKS, is_passed, {"rows": len(ranks)})
