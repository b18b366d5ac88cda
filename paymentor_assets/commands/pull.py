"""`paymentor pull LENDER [CONNECTOR]`: ask the connected sources now."""

from __future__ import annotations

from datetime import datetime

from paymentor_assets.commands.console import out, step
from paymentor_assets.commands.jobs import Jobs
from paymentor_assets.deployment import Deployment
from paymentor_assets.lenders import lender_named
from paymentor_assets.partitions import LENDER_TAG
from resources.clock import as_utc
from resources.errors import NotFound, UsageError

_OP = "connector_files"


def pull(deployment: Deployment, lender_id: str, connector: str | None, since: str | None) -> None:
    """Run one connector of the lender, or all; what is new waits in the landing zone then.

    Raises NotFound for an unknown lender or connector, and UsageError for a `since` that is no
    instant or names no connector.
    """
    lender_named(deployment.lenders, lender_id)
    if connector is not None:
        deployment.connectors.named(lender_id, connector)
    elif not deployment.connectors.of(lender_id):
        raise NotFound(
            f"Lender {lender_id} is connected to no source; describe one in "
            f"{deployment.connectors.folder(lender_id)}/connectors.yaml."
        )
    config: dict[str, str] = {}
    if connector is not None:
        config["connector"] = connector
    if since is not None:
        if connector is None:
            raise UsageError("--since reads one connector again; name it.")
        config["since"] = _instant(since).isoformat()
    with step(f"pull {connector or 'all connectors'} of {lender_id}") as line:
        result = Jobs(deployment).run(
            "pull", config={"ops": {_OP: {"config": config}}}, tags={LENDER_TAG: lender_id}
        )
        [event] = result.get_asset_materialization_events()
        metadata = event.materialization.metadata
        line.note = f"{metadata['files'].value} files, {metadata['rows'].value} rows"
    out.print(f"Run `paymentor ingest --lender {lender_id}`, or let the landing sensor find them.")


def _instant(text: str) -> datetime:
    try:
        return as_utc(datetime.fromisoformat(text))
    except ValueError:
        raise UsageError(
            f"{text!r} is not an instant; write it as 2026-06-30T00:00:00+05:30."
        ) from None
