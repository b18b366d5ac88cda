"""``paymentor simulate``: write a synthetic lender, and let its borrowers answer."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from simulator.errors import SimulationError
from simulator.world import DEFAULT_WORLD

app = typer.Typer(
    help="A synthetic lender: write its history, let its borrowers answer.",
    invoke_without_command=True,
    no_args_is_help=False,
    add_completion=False,
)
_DEFAULT_HOME = Path(".paymentor")


@app.callback()
def simulate(
    context: typer.Context,
    customers: Annotated[int | None, typer.Option(help="How many borrowers.")] = None,
    days: Annotated[
        int | None, typer.Option(help="Business days of files, ending on --end.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Decides everything that is drawn.")] = None,
    out: Annotated[Path | None, typer.Option(help="The platform's home ($PAYMENTOR_HOME).")] = None,
    end: Annotated[str, typer.Option(help="Last business day, YYYY-MM-DD.")] = "2026-06-30",
    dirty_share: Annotated[float, typer.Option(help="Share of wrong rows added.")] = 0.003,
    lender: Annotated[str, typer.Option(help="Name of the lender.")] = "meridian",
) -> None:
    """Write the landing files of a synthetic lender: --customers, --days, --seed and --out."""
    if context.invoked_subcommand is not None:
        return
    console = Console(stderr=True)
    options = {"--customers": customers, "--days": days, "--seed": seed, "--out": out}
    missing = [name for name, value in options.items() if value is None]
    if customers is None or days is None or seed is None or out is None:
        _fail(console, f"Missing {', '.join(missing)}. See `paymentor simulate --help`.", 2)
    from simulator.generate import generate

    columns = (
        TextColumn("[progress.description]{task.description}"), BarColumn(),
        MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    try:
        with Progress(*columns, console=console) as bar:
            task = bar.add_task("simulating days", total=days)
            summary = generate(
                out, lender_id=lender, customers=customers, days=days, seed=seed,
                end=_day(end), dirty_share=dirty_share,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )  # fmt: skip
            bar.update(task, completed=days)
    except SimulationError as error:
        _fail(console, str(error), error.exit_code)
    if not summary.is_new:
        console.print(f"{out} already holds exactly this lender; nothing was written.")
    console.print(
        f"Lender [bold]{summary.lender_id}[/bold]: {summary.customers:,} customers, "
        f"{summary.accounts:,} accounts, {summary.first_day} to {summary.last_day}; "
        f"{summary.files:,} files, {sum(summary.rows.values()):,} rows, "
        f"{summary.bytes / 1e6:,.0f} MB, {summary.dirty_rows:,} of them wrong on purpose "
        f"(simulator/{summary.lender_id}/dirty_manifest.jsonl)."
    )


@app.command()
def respond(
    until: Annotated[str, typer.Option(help="Up to this UTC instant, ISO 8601 (…Z).")],
    seed: Annotated[int, typer.Option(help="The seed the lender was made with.")],
    world: Annotated[str, typer.Option(help="MODULE:CLASS of the world.")] = DEFAULT_WORLD,
    home: Annotated[
        Path, typer.Option(help="The platform's home.", envvar="PAYMENTOR_HOME")
    ] = _DEFAULT_HOME,
    lender: Annotated[str, typer.Option(help="Name of the lender.")] = "meridian",
) -> None:
    """Answer the outbox: events to the stream, payments and later days to the landing zone."""
    from simulator.loop import respond as answer
    from simulator.world import load_world

    console = Console(stderr=True)
    try:
        with console.status("borrowers are reading"):
            done = answer(
                home,
                world=load_world(world, seed),
                seed=seed,
                until=_instant(until),
                lender_id=lender,
            )
    except SimulationError as error:
        _fail(console, str(error), error.exit_code)
    console.print(
        f"{done.answered:,} messages answered, {done.events:,} events and {done.payments:,} "
        f"payments delivered, {done.days_closed} days closed (through {done.closed_through}); "
        f"{done.queued_events:,} events and {done.queued_payments:,} payments on their way."
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SimulationError(f"--end is {text!r}; write YYYY-MM-DD.", exit_code=2) from None


def _instant(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SimulationError(
            f"--until is {text!r}; write an instant such as 2026-07-02T06:00:00Z.", exit_code=2
        ) from None
    if moment.tzinfo is None:
        raise SimulationError(f"--until {text} has no zone; end it with Z for UTC.", exit_code=2)
    return moment.astimezone(UTC)


def _fail(console: Console, message: str, code: int) -> NoReturn:
    console.print(f"[red]{message}[/red]", highlight=False)
    raise typer.Exit(code)
