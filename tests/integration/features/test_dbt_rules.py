"""dbt-bouncer holds the rules of the room: the project keeps them, a spoiled project does not."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from paymentor_assets.features.project import MANIFEST_PATH, PROJECT_DIR, load_manifest
from paymentor_assets.settings import PROJECT_ROOT

CONFIG = PROJECT_DIR / "dbt-bouncer.yml"
_BOUNCER = (sys.executable, "-c", "from dbt_bouncer.main import app; app()")
PROFILE = "model.paymentor.customer_profile"
STANDING = "model.paymentor.int_customer_standing"
STAGING = "model.paymentor.stg_payments"


def _broken(manifest: dict[str, Any], folder: Path) -> set[str]:
    """Names of the checks that fail, with the model or source they fail for."""
    (folder / "target").mkdir()
    (folder / "target" / "manifest.json").write_text(json.dumps(manifest))
    shutil.copy(CONFIG, folder)
    done = subprocess.run(
        [*_BOUNCER, "run", "--config-file", CONFIG.name, "--output-file", "found.json"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    results = json.loads((folder / "found.json").read_text())
    failed = {r["check_run_id"] for r in results if r["outcome"] != "success"}
    assert (done.returncode == 0) == (not failed), done.stdout[-2000:] + done.stderr[-2000:]
    return {f"{run.split(':')[0]}:{run.split(':')[-1]}" for run in failed}


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return load_manifest(MANIFEST_PATH)


def test_the_project_keeps_the_rules(manifest: dict[str, Any], tmp_path: Path) -> None:
    assert _broken(manifest, tmp_path) == set()


def test_an_exposure_reads_what_its_asset_reads(manifest: dict[str, Any]) -> None:
    # The snapshot is the asset graph as text; a test of its own keeps it true.
    graph = (PROJECT_ROOT / "tests" / "unit" / "asset_graph.snapshot.txt").read_text()
    assert len(manifest["exposures"]) >= 4
    for exposure in manifest["exposures"].values():
        asset = exposure["config"]["meta"]["asset"]
        found = re.search(rf"^asset {asset} .*\n((?:    .*\n)*)", graph, re.M)
        assert found, asset
        marts = set(re.findall(r"<- features/(\w+)", found[1]))
        assert {n.split(".")[-1] for n in exposure["depends_on"]["nodes"]} == marts, asset


def test_a_spoiled_project_does_not(manifest: dict[str, Any], tmp_path: Path) -> None:
    spoiled = copy.deepcopy(manifest)
    nodes = spoiled["nodes"]
    profile, standing, staging = nodes[PROFILE], nodes[STANDING], nodes[STAGING]
    profile["config"]["contract"]["enforced"] = profile["contract"]["enforced"] = False
    profile["config"]["meta"] = profile["meta"] = {"owner": "team:data-engineering"}
    profile["depends_on"]["nodes"].append(STAGING)
    profile["columns"]["bureau_score"]["description"] = ""
    profile["columns"]["bureau_score"]["data_type"] = None
    for name in [n for n in nodes if n.startswith("test.") and "unique_combination_customer" in n]:
        del nodes[name]
    standing["name"] = "customer_standing"
    standing["depends_on"]["nodes"].append("source.paymentor.raw.payments")
    staging["description"] = ""
    staging["config"]["materialized"] = "table"
    staging["depends_on"]["nodes"].append("source.paymentor.raw.blacklist")
    # Nobody reads the flags any more, and nothing that leaves reads the labels.
    for node in nodes.values():
        reads = node.get("depends_on", {}).get("nodes", [])
        if "model.paymentor.int_customer_flags" in reads:
            reads.remove("model.paymentor.int_customer_flags")
    for exposure in spoiled["exposures"].values():
        reads = exposure["depends_on"]["nodes"]
        exposure["depends_on"]["nodes"] = [n for n in reads if "repayment_labels" not in n]
    spoiled["exposures"]["exposure.paymentor.customer_rankings"]["description"] = ""
    raw = spoiled["sources"]["source.paymentor.raw.payments"]
    raw["freshness"] = {"warn_after": {"count": None}, "error_after": {"count": None}}

    broken = _broken(spoiled, tmp_path)
    assert {
        "check_model_has_contracts_enforced:customer_profile",
        "check_model_has_meta_keys:customer_profile",
        "check_lineage_permitted_upstream_models:customer_profile",
        "check_model_column_description_populated:customer_profile",
        "check_model_columns_have_types:customer_profile",
        "check_model_has_unique_test:customer_profile",
        "check_model_description_populated:stg_payments",
        "check_model_materialization_permitted:stg_payments",
        "check_model_depends_on_multiple_sources:stg_payments",
        "check_model_min_downstream_models:int_customer_flags",
        "check_model_has_exposure:repayment_labels",
        "check_exposure_description_populated:customer_rankings",
        "check_source_freshness_populated:raw_payments",
    } <= broken
    # The misnamed model is called by one name or the other, as the check has it.
    assert {"check_model_names", "check_lineage_source_cannot_be_used"} <= {
        name.split(":")[0] for name in broken if "customer_standing" in name
    }
