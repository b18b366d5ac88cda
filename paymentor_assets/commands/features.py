"""`paymentor features`: what a change of the dbt project would change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from paymentor_assets.commands.console import out
from paymentor_assets.deployment import Deployment
from paymentor_assets.features.diff import PUBLISHED, MartChange, compare_build
from paymentor_assets.features.tables import feature_tables
from paymentor_assets.settings import Settings

app = typer.Typer(no_args_is_help=True)


@app.callback()
def features() -> None:
    """What a change of the dbt project would change."""


@app.command()
def diff(
    against: Annotated[
        str, typer.Option(help="`published`: the newest publication of each day; or an id of one.")
    ] = PUBLISHED,
    lender: Annotated[str | None, typer.Option(help="One lender; all by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare the marts of your own `dbt build` with what is published; publishes nothing."""
    deployment = Deployment(Settings.load())
    changes = compare_build(
        deployment.lakehouse,
        deployment.settings.warehouse_dir / "scratch.duckdb",
        list(feature_tables().values()),
        against=against,
        lender_id=lender,
    )
    if as_json:
        out.print_json(json.dumps([asdict(change) for change in changes], default=str))
        return
    for change in changes:
        _show(change)


def _show(change: MartChange) -> None:
    where = f"{change.table} of {change.lender_id}, {change.day}"
    if change.publication_id is None:
        out.print(f"{where}: never published; {change.rows:,} rows are new.")
        return
    if change.is_same:
        out.print(f"{where}: all {change.rows:,} rows are as published.")
        return
    out.print(
        f"{where}: {change.rows:,} rows; {change.added:,} are new, {change.removed:,} are gone "
        f"(against {change.publication_id})."
    )
    for what, names in (
        ("New columns", change.new_columns),
        ("Dropped columns", change.dropped_columns),
        ("Other types", change.retyped_columns),
    ):
        if names:
            out.print(f"  {what}: {', '.join(names)}")
    if change.columns:
        out.print(_table(change))


def _table(change: MartChange) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("column")
    for name in ("rows", "share", "became null", "became known", "mean change", "largest"):
        table.add_column(name, justify="right")
    compared = max(change.rows - change.added, 1)
    for column in sorted(change.columns, key=lambda c: (-c.changed, c.name)):
        table.add_row(
            column.name,
            f"{column.changed:,}",
            f"{column.changed / compared:.1%}",
            f"{column.became_null:,}",
            f"{column.became_known:,}",
            *_numbers([column.mean_difference, column.largest_difference]),
        )
    return table


def _numbers(values: Sequence[float | None]) -> list[str]:
    return ["" if value is None else f"{value:+.4g}" for value in values]
