"""The command line: arguments in, sentences out. What commands do is in `commands/`."""

from __future__ import annotations

import json
import sys
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from paymentor_assets.commands.console import err, facts, out
from paymentor_assets.settings import Settings
from resources.errors import PayMentorError, UsageError

if TYPE_CHECKING:
    from paymentor_assets.deployment import Deployment

app = typer.Typer(
    name="paymentor",
    help="A lender's data platform: from raw files to compliant contacts and offers, and back.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _deployment() -> Deployment:
    from paymentor_assets.deployment import Deployment

    return Deployment(Settings.load())


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a date; write it as 2026-06-30.") from None


@app.command()
def demo(
    customers: Annotated[int, typer.Option(help="How many customers to simulate.")] = 2000,
    days: Annotated[int, typer.Option(help="How many days of history.")] = 180,
    seed: Annotated[int, typer.Option(help="The same seed makes the same lender.")] = 7,
) -> None:
    """Simulate a lender and take it through the whole lineage, once."""
    from paymentor_assets.commands.demo import demo as run_demo
    from simulator.errors import SimulationError
    from simulator.generate import generate
    from simulator.loop import respond
    from simulator.world import DefaultWorld

    try:
        run_demo(
            _deployment(),
            customers=customers,
            days=days,
            seed=seed,
            generate=generate,
            respond=respond,
            world=DefaultWorld,
        )
    except SimulationError as error:
        raise UsageError(str(error)) from error


@app.command()
def run(
    day: Annotated[
        str | None, typer.Option("--date", help="The day to plan and carry out, YYYY-MM-DD.")
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", help="First day of a backfill, YYYY-MM-DD.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day of a backfill.")] = None,
    stage: Annotated[
        str | None, typer.Option(help="The stage to backfill; `features` is the one that can be.")
    ] = None,
    lender: Annotated[str | None, typer.Option(help="One lender; all by default.")] = None,
) -> None:
    """Ingest what waits, then plan and carry out one day; or backfill a stage over a range."""
    from paymentor_assets.commands.run_day import backfill, run_day

    if day is not None and first is None and last is None and stage is None:
        run_day(_deployment(), _day(day), lender)
    elif day is None and first is not None and last is not None and stage is not None:
        backfill(_deployment(), _day(first), _day(last), stage, lender)
    else:
        raise UsageError(
            "Give --date D for one day, or --from D1 --to D2 --stage features for a backfill."
        )


@app.command()
def ingest(
    lender: Annotated[str | None, typer.Option(help="One lender; all by default.")] = None,
    file: Annotated[
        list[str] | None,
        typer.Option(help="Exactly this file of the landing zone, also one that was given up."),
    ] = None,
) -> None:
    """Ingest the files that wait in the landing zone."""
    from paymentor_assets.commands.run_day import ingest_named, ingest_waiting

    if file:
        ingest_named(_deployment(), file)
    else:
        ingest_waiting(_deployment(), lender)


@app.command()
def pull(
    lender: Annotated[str, typer.Argument(help="The lender.")],
    connector: Annotated[
        str | None, typer.Argument(help="One of its connectors; all by default.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Read a payment processor again from this instant on, with an offset."),
    ] = None,
) -> None:
    """Ask the connected sources for what is new; it lands as files."""
    from paymentor_assets.commands.pull import pull as ask

    ask(_deployment(), lender, connector, since)


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Where the platform stands."""
    from paymentor_assets.commands.status import status as read_status

    state = read_status(_deployment())
    if as_json:
        out.print_json(json.dumps(state))
    else:
        by_lender = state.pop("by_lender")
        facts("PayMentor", state)
        for lender_id, values in by_lender.items():
            facts(f"\nLender {lender_id}", values)


@app.command()
def doctor() -> None:
    """What is installed, where state lives, and what is wrong."""
    from paymentor_assets.commands.doctor import doctor as examine

    if not examine():
        raise typer.Exit(1)


@app.command()
def dev(
    port: Annotated[int, typer.Option(help="Port of the Dagster UI.")] = 3000,
) -> None:
    """Open the Dagster UI on both code locations."""
    from paymentor_assets.commands.dev import dev as serve

    serve(_deployment(), port)


@app.command("kill-switch")
def kill_switch(
    position: Annotated[str, typer.Argument(help="on (nothing leaves) or off.")],
    actor: Annotated[str, typer.Option(help="Who is doing this.")],
    reason: Annotated[str, typer.Option(help="Why.")],
) -> None:
    """Stop all sends, or allow them again."""
    from paymentor_assets.compliance.controls import set_kill_switch

    if position not in ("on", "off"):
        raise UsageError(f"The kill switch is 'on' or 'off', not {position!r}.")
    deployment = _deployment()
    set_kill_switch(
        deployment.store, is_on=position == "on", actor=actor, reason=reason, clock=deployment.clock
    )
    out.print(f"The kill switch is {position}.")


def _mount() -> None:
    from paymentor_assets.commands.features import app as features_app
    from paymentor_assets.commands.keys import app as keys_app
    from paymentor_assets.commands.lender import app as lender_app
    from paymentor_assets.commands.models import app as models_app
    from paymentor_assets.commands.serve import app as serve_app

    app.add_typer(lender_app, name="lender", help="Take on a lender, try its files.")
    app.add_typer(features_app, name="features", help="What a change of the dbt project changes.")
    app.add_typer(models_app, name="models", help="List, compare, approve, reject, roll back.")
    app.add_typer(keys_app, name="keys", help="Keys that are exchanged with lenders.")
    app.add_typer(
        serve_app, name="serve", help="Servers that lenders and payment processors deliver to."
    )
    if len(sys.argv) > 1 and sys.argv[1] in ("simulate", "--help"):
        # The platform must not need the simulator; only its own command does.
        from simulator.commands import app as simulate_app

        app.add_typer(simulate_app, name="simulate", help="A synthetic lender.")


def main() -> None:
    """Entry point: errors that people should read are printed as sentences, without a traceback.

    Exit codes: 0 done, 1 failed check, 2 bad usage, 3 not found.
    """
    try:
        _mount()
        app()
    except PayMentorError as error:
        err.print(f"[red]{type(error).__name__}[/red]: {escape(str(error))}", soft_wrap=True)
        raise SystemExit(error.exit_code) from None


if __name__ == "__main__":
    main()
