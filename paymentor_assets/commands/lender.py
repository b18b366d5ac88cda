"""`paymentor lender`: take on a lender, try its files, see what it is held to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from paymentor_assets.commands.console import facts, out
from paymentor_assets.settings import Settings
from resources.errors import NotFound

if TYPE_CHECKING:
    from paymentor_assets.deployment import Deployment
    from paymentor_assets.ingestion.contracts.model import FeedContract
    from paymentor_assets.ingestion.dry_run import Verdict

app = typer.Typer(no_args_is_help=True)

_LenderId = Annotated[str, typer.Argument(help="The lender, in lower case: first_bank.")]
#: Sentences shown for each reason; the others are alike.
_SENTENCES = 3


def _deployment() -> Deployment:
    from paymentor_assets.deployment import Deployment

    return Deployment(Settings.load())


@app.command()
def init(
    lender_id: _LenderId,
    country: Annotated[str, typer.Option(help="IN, US or CZ: zone, currency, prices.")] = "IN",
    name: Annotated[str | None, typer.Option(help="As customers know it.")] = None,
    role: Annotated[
        str, typer.Option(help="first_party, or third_party: collects for others.")
    ] = "first_party",
    zone: Annotated[
        str | None, typer.Option(help="IANA time zone, where not the country's.")
    ] = None,
    feeds: Annotated[
        str, typer.Option(help="Feeds it will deliver, joined with commas.")
    ] = "portfolio,payments",
) -> None:
    """Write a lender's contracts as templates, its landing folders, and example files.

    Nothing that exists is overwritten. Edit the contracts afterwards; they say how.
    """
    from paymentor_assets.commands import lender_init

    deployment = _deployment()
    made = lender_init.init(
        deployment.settings,
        deployment.receipt_clock,
        lender_init.Wishes(
            lender_id,
            country=country,
            name=name,
            role=role,
            zone=zone,
            feeds=[feed.strip() for feed in feeds.split(",") if feed.strip()],
        ),
    )
    for path, what in made.items():
        out.print(f"{path}  [dim]{what}[/dim]", soft_wrap=True)
    out.print(
        "\nNext:\n"
        f"1. Say in {lender_id}.yaml when the lender's day ends and what a contact costs.\n"
        "2. Say in each feed's contract how the lender's files differ from the example; delete\n"
        "   the contract of a feed that looks like it.\n"
        f"3. Try a file:    paymentor lender check FILE --lender {lender_id}\n"
        f"4. Take files in: put them into the landing folders, then\n"
        f"                  paymentor ingest --lender {lender_id}",
        soft_wrap=True,
    )


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A file as the lender delivers it.")],
    lender: Annotated[
        str | None, typer.Option(help="Whose; by default by its landing folder.")
    ] = None,
    feed: Annotated[
        str | None, typer.Option(help="Which feed; by default by its folder or name.")
    ] = None,
) -> None:
    """Try a file: what would be accepted, what rejected, and why. Nothing is written.

    Exit code 1 when a row or the whole file would be rejected.
    """
    from paymentor_assets.commands.lender_check import check as try_file

    verdict = try_file(_deployment(), file, lender, feed)
    _print_verdict(verdict)
    if not verdict.is_taken_whole:
        raise typer.Exit(1)


@app.command()
def show(lender_id: _LenderId) -> None:
    """The feeds of a lender: whose contract holds, its version, what files are held to."""
    from paymentor_assets.ingestion.contracts.book import ContractBook
    from paymentor_assets.lenders import lender_named

    deployment = _deployment()
    lender = lender_named(deployment.lenders, lender_id)
    book = ContractBook(deployment.settings.lenders_dir)
    contracts, own = book.feeds(lender_id), book.own(lender_id)
    if absent := [feed for feed in lender.feeds if feed not in contracts]:
        raise NotFound(
            f"Lender {lender_id} names feeds that the platform does not have: "
            f"{', '.join(absent)}; there are {', '.join(sorted(contracts))}."
        )
    facts(
        f"{lender.name} ({lender_id})",
        {
            "role": lender.role,
            "day ends": f"{lender.daily_cutoff:%H:%M} of the next day, {lender.zone}",
            "waits for": f"{', '.join(lender.required_feeds) or 'nothing'} until "
            f"{lender.latest_by:%H:%M}, then {lender.on_missing}",
            "rejected rows": f"up to {lender.max_rejected_share:.0%} of a file",
        },
    )
    table = Table(
        *("feed", "contract", "version", "files", "rows", "rejected", "age"),
        box=None,
        pad_edge=False,
    )
    for feed in lender.feeds:
        table.add_row(feed, "own" if feed in own else "platform", *_terms(contracts[feed]))
    out.print()
    out.print(table)


def _terms(contract: FeedContract) -> tuple[str, ...]:
    """Version and bounds of a contract, for people."""
    least, most = contract.min_rows, contract.max_rows
    written: list[str] = [contract.format, contract.encoding]
    written += [contract.compression] if contract.compression != "none" else []
    written += [contract.encryption.type] if contract.encryption else []
    return (
        contract.contract_version,
        ", ".join(written),
        " ".join(
            text
            for text in (
                "" if least is None else f"from {least}",
                "" if most is None else f"up to {most}",
            )
            if text
        )
        or "any",
        "lender's"
        if contract.max_rejected_share is None
        else f"up to {contract.max_rejected_share:.0%}",
        "any" if contract.max_age_days is None else f"up to {contract.max_age_days} d",
    )


def _print_verdict(verdict: Verdict) -> None:
    file, rejected = verdict.file, verdict.rejected
    rows = rejected.sort_by("row_number").to_pylist()
    if file.status == "ingested":
        out.print(
            f"{file.name}: {file.rows_accepted} of {file.rows_total} rows would be accepted, "
            f"{file.rows_rejected} rejected.",
            soft_wrap=True,
        )
    else:
        code = f" ({file.reason_code})" if file.reason_code else ""
        out.print(
            f"[red]The whole file would be refused{code}:[/red] {escape(str(file.message))}",
            soft_wrap=True,
        )
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        by_reason.setdefault(row["reason_code"], []).append(row["message"])
    table = Table("reason", "rows", "first of them", box=None, pad_edge=False)
    for reason, messages in sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0])):
        for at, message in enumerate(messages[:_SENTENCES]):
            table.add_row(*((reason, str(len(messages))) if at == 0 else ("", "")), escape(message))
    if by_reason:
        out.print()
        out.print(table)
