"""`paymentor status`: where the platform stands, read from what it wrote and nothing else."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import select

from paymentor_assets.audit.publications import all_publications
from paymentor_assets.audit.sealing import sealed_days_of
from paymentor_assets.compliance.controls import kill_switch_is_on
from paymentor_assets.deployment import Deployment
from paymentor_assets.ingestion import reconcile
from paymentor_assets.lenders import Lender
from resources.operational_schema import file_index


def status(deployment: Deployment) -> dict[str, Any]:
    """The facts of `paymentor status --json`: flat over all lenders, and by lender.

    `last_closed_day` is the newest day whose cut-off has passed and whose required feeds are in.
    """
    lenders = deployment.lenders
    by_lender = {lender_id: _of_lender(deployment, lenders[lender_id]) for lender_id in lenders}
    properties = deployment.lakehouse.catalog.properties
    with deployment.store.read() as connection:
        is_stopped = kill_switch_is_on(connection)
    closed = [facts["last_closed_day"] for facts in by_lender.values() if facts["last_closed_day"]]
    return {
        "catalog_name": deployment.lakehouse.name,
        "catalog_uri": properties.get("uri"),
        "warehouse": properties.get("warehouse"),
        "lenders": list(lenders),
        "last_closed_day": max(closed, default=None),
        "planned_days": _union(by_lender, "planned_days"),
        "sealed_days": _union(by_lender, "sealed_days"),
        "pending_files": sum(facts["pending_files"] for facts in by_lender.values()),
        "given_up_files": _union(by_lender, "given_up_files"),
        "kill_switch": is_stopped,
        "now_utc": deployment.clock.now().isoformat(),
        "by_lender": by_lender,
    }


def _of_lender(deployment: Deployment, lender: Lender) -> dict[str, Any]:
    planned = sorted(
        {
            day.isoformat()
            for publication in all_publications(
                deployment.lakehouse, stage="decisions", lender_id=lender.lender_id
            )
            for day in publication.as_of_dates
        }
    )
    sealed = sorted(sealed_days_of(deployment.store, lender.lender_id))
    closed = last_closed_day(deployment, lender)
    pending = reconcile.pending(
        deployment.landing_zone, deployment.store, lender_id=lender.lender_id
    )
    return {
        "last_closed_day": closed.isoformat() if closed else None,
        "planned_days": planned,
        "sealed_days": [day.isoformat() for day in sealed],
        "pending_files": len(pending),
        "given_up_files": reconcile.given_up(deployment.store, lender.lender_id),
    }


def last_closed_day(deployment: Deployment, lender: Lender) -> date | None:
    """The newest day whose cut-off has passed and for which every required feed was ingested."""
    newest = lender.last_closed_day(deployment.clock.now())
    with deployment.store.read() as connection:
        rows = connection.execute(
            select(file_index.c.business_date, file_index.c.feed)
            .where(file_index.c.lender_id == lender.lender_id)
            # A day without payments may be a file that is byte for byte that of another day.
            .where(file_index.c.status.in_(("ingested", "duplicate")))
            .where(file_index.c.feed.in_(lender.required_feeds))
            .where(file_index.c.business_date <= newest)
            .distinct()
        ).all()
    feeds_by_day: dict[date, set[str]] = {}
    for row in rows:
        feeds_by_day.setdefault(row.business_date, set()).add(row.feed)
    complete = [d for d, feeds in feeds_by_day.items() if feeds >= set(lender.required_feeds)]
    return max(complete, default=None)


def _union(by_lender: dict[str, dict[str, Any]], name: str) -> list[str]:
    return sorted({day for facts in by_lender.values() for day in facts[name]})
