"""What a day came to, counted from the tables themselves."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import func, select

from paymentor_assets.audit.publications import Publication, newest, require
from paymentor_assets.commands.console import facts, out
from paymentor_assets.deployment import Deployment
from paymentor_assets.features.purposes import covers_sql
from paymentor_assets.lenders import Lender
from paymentor_assets.models import registry
from paymentor_assets.models.families import customer_ranking
from paymentor_assets.offers.candidates import APPLICATION, MARKETING
from resources.duck import connect, iceberg_scan_sql, load_lake_extensions
from resources.operational_schema import actions, deliveries, file_index


def summary(deployment: Deployment, lender: Lender, day: date) -> None:
    """Print the summary of one lender's day."""
    facts(
        f"{lender.name}, {day.isoformat()}",
        {
            **_files(deployment, lender),
            **_model(deployment),
            **_decisions(deployment, lender, day),
            **_engagement(deployment, lender, day),
        },
    )
    out.print(
        "\nWhere to look next: `make dev` opens the lineage; "
        "`paymentor status`; the messages are in "
        f"{deployment.settings.outbox_dir / lender.lender_id}."
    )


def _query(deployment: Deployment, table: str, snapshot_id: int, sql: str) -> list[tuple[Any, ...]]:
    """Run SQL over `t`, one table at one snapshot."""
    location = deployment.lakehouse.metadata_location(table)
    with connect() as con:
        load_lake_extensions(con)
        return con.execute(
            f"WITH t AS ({iceberg_scan_sql(location, snapshot_id)}) {sql}"
        ).fetchall()


def _files(deployment: Deployment, lender: Lender) -> dict[str, object]:
    with deployment.store.read() as connection:
        counts = connection.execute(
            select(file_index.c.status, func.count())
            .where(file_index.c.lender_id == lender.lender_id)
            .group_by(file_index.c.status)
            .order_by(file_index.c.status)
        ).all()
    snapshot = require(deployment.lakehouse, "ingestion", lender.lender_id).table(
        "raw.ingested_files"
    )
    accepted, rejected = _query(
        deployment,
        "raw.ingested_files",
        snapshot.snapshot_id,
        "SELECT sum(rows_accepted), sum(rows_rejected) FROM t "
        f"WHERE lender_id = '{lender.lender_id}'",
    )[0]
    return {
        "files in": ", ".join(f"{count:,} {status}" for status, count in counts),
        "rows": f"{accepted:,} accepted, {rejected:,} rejected with their reasons",
    }


def _model(deployment: Deployment) -> dict[str, object]:
    approval = registry.approved_version(deployment.lakehouse, customer_ranking.FAMILY)
    version = deployment.registry.version(approval.family, approval.version)
    metrics = deployment.registry.metrics(version.run_id)
    shown = {
        name.removesuffix(".auc").replace(".", " "): value
        for name, value in metrics.items()
        if name.endswith(".auc") and "baseline" not in name
    }
    return {
        "model": f"{approval.family} version {approval.version}, approved by {approval.actor}",
        "AUC on later days": ", ".join(f"{n} {v:.3f}" for n, v in sorted(shown.items())),
    }


def _decisions(deployment: Deployment, lender: Lender, day: date) -> dict[str, object]:
    rankings = require(deployment.lakehouse, "rankings", lender.lender_id, day)
    decisions = require(deployment.lakehouse, "decisions", lender.lender_id, day)
    iso = day.isoformat()
    of_day = f"WHERE lender_id = '{lender.lender_id}' AND as_of_date = DATE '{iso}'"
    counted = _query(
        deployment,
        "decisions.gate_counts",
        decisions.table("decisions.gate_counts").snapshot_id,
        f"SELECT rule_id, verdict, sum(candidates) FROM t {of_day} AND pass = 'mask' "
        "AND verdict <> 'allow' GROUP BY ALL ORDER BY 3 DESC, 1",
    )
    rules: dict[str, str] = {}
    for rule_id, verdict, count in counted:
        rules[f"  {verdict} {rule_id}"] = f"{count:,}"
    return {
        "accounts ranked": f"{rankings.table('decisions.customer_rankings').rows[iso]:,}",
        **_aa_data(deployment, lender, day),
        "actions planned": f"{decisions.table('decisions.actions').rows[iso]:,}",
        **_offers(deployment, decisions, of_day),
        "candidates kept out, by rule": "",
        **rules,
    }


def _offers(deployment: Deployment, decisions: Publication, of_day: str) -> dict[str, object]:
    """Offers by type, and in how many of each account-aggregator data was used."""
    shown: dict[str, object] = {}
    for title, table in (
        ("offers priced", "decisions.offer_candidates"),
        ("offers that leave", "decisions.offers"),
    ):
        rows = _query(
            deployment,
            table,
            decisions.table(table).snapshot_id,
            "SELECT offer_type, count(*), count(*) FILTER (WHERE aa_data = 'used') "
            f"FROM t {of_day} GROUP BY ALL",
        )
        counts = {name: (count, used) for name, count, used in rows}
        shown[title] = ", ".join(
            f"{count:,} {name} ({used:,} with account-aggregator data)"
            for name in (MARKETING, APPLICATION)
            for count, used in [counts.get(name, (0, 0))]
        )
    return shown


def _aa_data(deployment: Deployment, lender: Lender, day: date) -> dict[str, object]:
    """Of how many customers the ranking sees account-aggregator data, and of how many not."""
    features = require(deployment.lakehouse, "features", lender.lender_id, day)
    purpose = customer_ranking.AA_PURPOSE
    covered, others = _query(
        deployment,
        "features.customer_profile",
        features.table("features.customer_profile").snapshot_id,
        f"SELECT count(*) FILTER (WHERE {covers_sql(purpose)}), "
        f"count(*) FILTER (WHERE NOT {covers_sql(purpose)}) FROM t "
        f"WHERE lender_id = '{lender.lender_id}' AND as_of_date = DATE '{day.isoformat()}'",
    )[0]
    return {
        "account-aggregator data": f"seen of {covered:,} customers with a consent for purpose "
        f"{purpose}, not of {others:,} without",
    }


def _engagement(deployment: Deployment, lender: Lender, day: date) -> dict[str, object]:
    with deployment.store.read() as connection:
        sent = connection.execute(
            select(deliveries.c.channel, func.count())
            .where(
                deliveries.c.lender_id == lender.lender_id,
                deliveries.c.as_of_date == day,
                deliveries.c.status == "sent",
            )
            .group_by(deliveries.c.channel)
            .order_by(deliveries.c.channel)
        ).all()
        ended = connection.execute(
            select(actions.c.state_name, func.count())
            .where(actions.c.lender_id == lender.lender_id, actions.c.as_of_date == day)
            .group_by(actions.c.state_name)
            .order_by(actions.c.state_name)
        ).all()
    by_channel: dict[str, int] = {row[0]: row[1] for row in sent}
    total = sum(by_channel.values())
    events: list[tuple[Any, ...]] = []
    publication = newest(deployment.lakehouse, "engagement", lender.lender_id)
    if publication is not None and "engagement.events" in publication.tables:
        events = _query(
            deployment,
            "engagement.events",
            publication.table("engagement.events").snapshot_id,
            f"SELECT event_type, count(*) FROM t WHERE lender_id = '{lender.lender_id}' "
            "GROUP BY ALL ORDER BY 2 DESC, 1",
        )
    return {
        "messages sent": f"{total:,} ({_listed(by_channel)})",
        "actions ended as": ", ".join(f"{n:,} {s}" for s, n in ended) or "none",
        "events back": ", ".join(f"{n:,} {e}" for e, n in events) or "none",
    }


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"
