"""The door from production into model development: what is in force, and what drifts.

Production writes into development's own lakehouse, as the training extract does; development reads
only that. Neither the registry's aliases nor a wish for training needs any other way between the
two (docs/adr/0019). Nothing here names a borrower.
"""

from __future__ import annotations

import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue

from paymentor_assets.audit.publications import (
    Publication,
    RunInfo,
    all_publications,
    publish_days,
    read_table,
)
from paymentor_assets.models import approvals
from paymentor_assets.models.approvals import APPROVALS
from paymentor_assets.models.monitoring_table import MONITORING, STAGE
from paymentor_assets.models.training_extract import STAGE as EXTRACT_STAGE
from resources.lakehouse import Lakehouse
from resources.registry import ModelRegistry

CHAMPION = "champion"
#: The production snapshot that development's copy was made of.
_SOURCE = "copied-from-snapshot"


def hand_over_approvals(lake: Lakehouse, development: Lakehouse) -> bool:
    """Copy `models.approvals` into development's lakehouse; False when nothing has changed."""
    head = str(lake.head(APPROVALS.name))
    if not lake.exists(APPROVALS.name) or _copied_from(development) == head:
        return False
    development.overwrite(APPROVALS, lake.scan(APPROVALS.name), AlwaysTrue(), {_SOURCE: head})
    return True


def aliases_due(development: Lakehouse, registry: ModelRegistry) -> dict[str, int | None]:
    """Families whose alias `champion` is not the version in force, and what it should be.

    None means that no version is in force and the alias has to go. A version that is in force but
    gone from the registry is left out: there is nothing an alias could point at.
    """
    due: dict[str, int | None] = {}
    for family in approvals.families(development):
        in_force = approvals.champion(approvals.history(development, family))
        wanted = None if in_force is None else in_force.version
        known = {None, *(version.version for version in registry.versions(family))}
        if wanted in known and registry.aliases(family).get(CHAMPION) != wanted:
            due[family] = wanted
    return due


def mirror_aliases(development: Lakehouse, registry: ModelRegistry) -> dict[str, int | None]:
    """Point the alias `champion` of every family at the version in force; returns what changed."""
    due = aliases_due(development, registry)
    for family, version in due.items():
        registry.set_alias(family, CHAMPION, version)
    return due


def hand_over_monitoring(
    development: Lakehouse, publication: Publication, rows: pa.Table, run: RunInfo
) -> Publication:
    """Publish a day's rows of `models.monitoring` into development's lakehouse as well."""
    return publish_days(
        development,
        stage=STAGE,
        lender_id=publication.lender_id,
        days=[publication.as_of_date],
        tables={MONITORING: rows},
        inputs=[publication.publication_id],
        run=run,
    )


def drifting_models(development: Lakehouse) -> dict[str, int]:
    """Families whose version in force raised an alarm on the newest monitored day of a lender."""
    # By day, not by sequence: a past day may be monitored again.
    published = sorted(all_publications(development, stage=STAGE), key=lambda p: p.as_of_date)
    newest = {p.lender_id: p for p in published}
    alarmed: set[tuple[str, int]] = set()
    for publication in newest.values():
        rows = read_table(development, publication, MONITORING)
        alarms = rows.filter(rows.column("is_alarm")).select(["family", "model_version"])
        alarmed |= {(row["family"], row["model_version"]) for row in alarms.to_pylist()}
    in_force = {
        family: approvals.champion(approvals.history(development, family))
        for family, _ in sorted(alarmed)
    }
    return {
        family: event.version
        for family, event in in_force.items()
        if event is not None and (family, event.version) in alarmed
    }


def newest_extracts(development: Lakehouse) -> list[str]:
    """Publication ids of the newest extract of every lender, in order."""
    newest = {p.lender_id: p for p in all_publications(development, stage=EXTRACT_STAGE)}
    return sorted(publication.publication_id for publication in newest.values())


def _copied_from(development: Lakehouse) -> str | None:
    if not development.exists(APPROVALS.name):
        return None
    return development.summary(APPROVALS.name).get(_SOURCE)
