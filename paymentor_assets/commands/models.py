"""`paymentor models`: what was trained, what may score, and who said so."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from paymentor_assets.commands.console import facts, out
from paymentor_assets.deployment import Deployment
from paymentor_assets.models import approvals, registry
from paymentor_assets.models.families import customer_ranking
from paymentor_assets.settings import Settings
from resources.errors import NotFound

app = typer.Typer(no_args_is_help=True)

_Family = Annotated[str, typer.Argument(help="The model family.")]
_Version = Annotated[int, typer.Argument(help="The version, as in `models list`.")]
_Actor = Annotated[str, typer.Option(help="Who decides; never the trainer.")]
_Reason = Annotated[str, typer.Option(help="Why; an auditor will read it.")]


@app.command("list")
def list_versions(
    family: Annotated[str, typer.Argument(help="The family.")] = customer_ranking.FAMILY,
) -> None:
    """The versions of a family and their state."""
    deployment = Deployment(Settings.load())
    versions = deployment.registry.versions(family)
    if not versions:
        raise NotFound(f"No version of {family} is registered; train one first (`paymentor demo`).")
    states = approvals.states(approvals.history(deployment.lakehouse, family))
    table = Table("version", "state", "trainer", "by", "reason", box=None, pad_edge=False)
    for version in versions:
        said = states.get(version.version)
        table.add_row(
            str(version.version),
            said.state if said else "registered",
            version.trainer,
            said.actor if said else "",
            said.reason if said else "",
        )
    out.print(table)


@app.command()
def show(family: _Family, version: _Version) -> None:
    """One version: metrics, artefact, history of decisions."""
    deployment = Deployment(Settings.load())
    found = deployment.registry.version(family, version)
    facts(
        f"{family} version {version}",
        {
            "trainer": found.trainer,
            "artefact_sha256": found.artefact_sha256,
            "artefact": deployment.registry.artefact_dir(found),
            **deployment.registry.metrics(found.run_id),
        },
    )
    for event in approvals.history(deployment.lakehouse, family):
        if event.version == version:
            out.print(
                f"{event.at_utc:%Y-%m-%d %H:%M} {event.state} by {event.actor}: {event.reason}"
            )


@app.command()
def compare(
    family: _Family,
    one: Annotated[int, typer.Argument(help="A version.")],
    other: Annotated[int, typer.Argument(help="Another version.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """The metrics of two versions beside each other."""
    deployment = Deployment(Settings.load())
    metrics = {
        v: deployment.registry.metrics(deployment.registry.version(family, v).run_id)
        for v in (one, other)
    }
    names = sorted(set(metrics[one]) | set(metrics[other]))
    if as_json:
        out.print_json(json.dumps({n: [metrics[one].get(n), metrics[other].get(n)] for n in names}))
        return
    table = Table("metric", str(one), str(other), "difference", box=None, pad_edge=False)
    for name in names:
        a, b = metrics[one].get(name), metrics[other].get(name)
        difference = f"{b - a:+.4f}" if a is not None and b is not None else ""
        table.add_row(name, _number(a), _number(b), difference)
    out.print(table)


@app.command()
def approve(family: _Family, version: _Version, actor: _Actor, reason: _Reason) -> None:
    """Let a version score from the next day on."""
    deployment = Deployment(Settings.load())
    approved = registry.approve(
        deployment.lakehouse,
        deployment.registry,
        deployment.store,
        family=family,
        version=version,
        actor=actor,
        reason=reason,
        clock=deployment.clock,
    )
    out.print(f"{family} version {approved} is approved.")


@app.command()
def reject(family: _Family, version: _Version, actor: _Actor, reason: _Reason) -> None:
    """Say that a version shall not score."""
    deployment = Deployment(Settings.load())
    rejected = registry.reject(
        deployment.lakehouse,
        deployment.registry,
        deployment.store,
        family=family,
        version=version,
        actor=actor,
        reason=reason,
        clock=deployment.clock,
    )
    out.print(f"{family} version {rejected} is rejected.")


@app.command()
def rollback(family: _Family, actor: _Actor, reason: _Reason) -> None:
    """Take the champion out; the version approved before it takes over."""
    deployment = Deployment(Settings.load())
    staying = registry.rollback(
        deployment.lakehouse,
        deployment.registry,
        deployment.store,
        family=family,
        actor=actor,
        reason=reason,
        clock=deployment.clock,
    )
    if staying is None:
        out.print(
            f"No version of {family} is in force any more: nothing scores until one is approved."
        )
    else:
        out.print(f"{family} version {staying} is in force again.")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
