"""Connectors in the asset graph and on the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import yaml

from paymentor_assets import definitions
from paymentor_assets.commands.pull import pull
from paymentor_assets.commands.serve import webhooks
from paymentor_assets.deployment import Deployment
from paymentor_assets.ingestion.connector_assets import KEY
from paymentor_assets.partitions import LENDER_TAG
from paymentor_assets.settings import Settings
from resources.errors import NotFound, SettingsError, UsageError
from tests.support.connector_house import Processor, event
from tests.support.http_fake import FakeSource, Reply, fake_source
from tests.support.landing_house import make_lender

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def source(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSource]:
    """A deployment with two lenders, of which one is connected to a processor."""
    monkeypatch.setenv("PROCESSOR_TOKEN", "sk_processor")
    lenders = home / "lenders"
    for name in ("meridian", "northstar"):
        lender = make_lender(name)
        (lenders / name).mkdir(parents=True)
        (lenders / f"{name}.yaml").write_text(yaml.safe_dump(lender.model_dump(mode="json")))
    yesterday = datetime.now(UTC) - timedelta(days=1)
    with fake_source(Processor([event(n, yesterday) for n in (1, 2, 3)])) as made:
        described = {
            "kind": "payments",
            "base_url": made.url,
            "token_variable": "PROCESSOR_TOKEN",
            "webhook_secret_variables": ["WEBHOOK_SECRET"],
        }
        path = lenders / "meridian" / "connectors.yaml"
        path.write_text(yaml.safe_dump({"connectors": {"payments": described}}))
        yield made


@pytest.fixture
def deployment(source: FakeSource, home: Path) -> Iterator[Deployment]:
    made = Deployment(Settings.load())
    yield made
    made.close()


def run(deployment: Deployment, **options: object) -> dg.ExecuteInProcessResult:
    defs = definitions.build_defs(deployment.settings, deployment)
    with dg.DagsterInstance.ephemeral() as instance:
        return defs.resolve_job_def("pull").execute_in_process(
            instance=instance,
            raise_on_error=False,
            **options,  # type: ignore[arg-type]
        )


def test_the_job_tells_what_it_delivered(deployment: Deployment) -> None:
    result = run(deployment)
    assert result.success
    [event] = result.get_asset_materialization_events()
    metadata = {k: v.value for k, v in event.materialization.metadata.items()}
    assert (metadata["connectors"], metadata["files"], metadata["rows"]) == (1, 1, 3)
    assert metadata["ledger_entries"] == "1 to 1"
    [check] = result.get_asset_check_evaluations()
    assert (check.passed, check.metadata["exchanges"].value) == (True, 1)
    [file] = deployment.landing_zone.list()
    assert f"- {file.uri}" in metadata["uris"]
    ingested = definitions.build_defs(deployment.settings, deployment).resolve_job_def("ingest")
    assert KEY not in ingested.asset_layer.executable_asset_keys


def test_a_source_that_fails_fails_the_run(deployment: Deployment, source: FakeSource) -> None:
    source.fail_with(Reply(403))
    assert not run(deployment).success


def test_one_connector_can_be_read_again(deployment: Deployment, source: FakeSource) -> None:
    config = {"connector": "payments", "since": "2020-01-01T00:00:00+05:30"}
    result = run(
        deployment,
        run_config={"ops": {"connector_files": {"config": config}}},
        tags={LENDER_TAG: "meridian"},
    )
    assert result.success
    assert source.asked[0].params["created_from"] == "1577817000"


def test_the_schedule_starts_a_run_for_each_connected_lender(deployment: Deployment) -> None:
    defs = definitions.build_defs(deployment.settings, deployment)
    schedule = defs.resolve_schedule_def("connectors_schedule")
    resources = {"lenders": deployment.lenders, "connectors": deployment.connectors}
    with dg.build_schedule_context(resources=resources) as context:
        evaluated = schedule.evaluate_tick(context)
        assert [r.tags[LENDER_TAG] for r in evaluated.run_requests or ()] == ["meridian"]
        (deployment.connectors.folder("meridian") / "connectors.yaml").unlink()
        assert not schedule.evaluate_tick(context).run_requests


def test_the_command_line_asks_and_says_what_came(source: FakeSource) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "paymentor_assets.cli", "pull", "meridian"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 files, 3 rows" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (("nobody", None, None), NotFound, "No lender 'nobody'"),
        (("meridian", "bureau", None), NotFound, "has no connector 'bureau'"),
        (("northstar", None, None), NotFound, "connected to no source"),
        (("meridian", None, "2026-06-30T00:00:00Z"), UsageError, "name it"),
        (("meridian", "payments", "yesterday"), UsageError, "not an instant"),
        (("meridian", "payments", "2026-06-30"), UsageError, "no zone"),
    ],
)
def test_what_cannot_be_asked_is_said(
    deployment: Deployment,
    source: FakeSource,
    arguments: tuple[str, str | None, str | None],
    error: type[Exception],
    said: str,
) -> None:
    with pytest.raises(error, match=said):
        pull(deployment, *arguments)
    assert source.asked == []


def test_the_receiver_does_not_start_without_its_secret(deployment: Deployment) -> None:
    with pytest.raises(SettingsError, match="WEBHOOK_SECRET"):
        webhooks("127.0.0.1", 0)
    (deployment.connectors.folder("meridian") / "connectors.yaml").unlink()
    with pytest.raises(NotFound, match="No lender expects webhooks"):
        webhooks("127.0.0.1", 0)


def test_tables_that_connectors_fill_come_after_them_in_the_lineage(deployment: Deployment) -> None:
    graph = definitions.build_defs(deployment.settings, deployment).resolve_asset_graph()
    filled = {key.to_user_string() for key in graph.get(KEY).child_keys}
    assert filled == {
        "raw/aa_consents",
        "raw/bureau_enquiries",
        "raw/bureau_reports",
        "raw/bureau_tradelines",
        "raw/payments",
    }
