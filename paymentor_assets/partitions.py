"""Partitions of the asset graph: one day is one partition, for every lender alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import dagster as dg

from paymentor_assets.lenders import Lender, lender_named

#: The first day the platform may plan. Partitions reach to today in the UI; a simulated lender
#: lives in the past of it.
FIRST_DAY = date(1993, 1, 1)
LENDER_TAG = "paymentor/lender"

daily = dg.DailyPartitionsDefinition(start_date=FIRST_DAY.isoformat(), end_offset=0)


def lenders_of(context: dg.AssetExecutionContext, lenders: Mapping[str, Lender]) -> list[Lender]:
    """The lenders of a run: the one named by its tag, or all of them.

    A day of several lenders closes at several instants, so the cut-off schedule starts one run a
    lender, tagged; a run started by hand without the tag works on all.
    """
    tagged = context.run.tags.get(LENDER_TAG)
    if tagged is not None:
        return [lender_named(lenders, tagged)]
    return list(lenders.values())


def days_of(context: dg.AssetExecutionContext) -> list[date]:
    """The days of a run, one or (in a backfill) many."""
    return [date.fromisoformat(key) for key in context.partition_keys]
