"""`paymentor models`: what was trained, what may score, and who said so."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from paymentor_assets.commands.console import facts, out
from paymentor_assets.deployment import Deployment
from paymentor_assets.models import families, inventory, registry
from paymentor_assets.settings import Settings
from resources.errors import NotFound

app = typer.Typer(no_args_is_help=True)

_Family = Annotated[str, typer.Argument(help="The model family.")]
_Version = Annotated[int, typer.Argument(help="The version, as in `models list`.")]
_Actor = Annotated[str, typer.Option(help="Who decides; never the trainer.")]
_Reason = Annotated[str, typer.Option(help="Why; an auditor will read it.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_versions(
    family: Annotated[str | None, typer.Argument(help="One family; all without it.")] = None,
    as_json: _Json = False,
) -> None:
    """The versions of a family, or of all, and their state."""
    deployment = Deployment(Settings.load())
    lake, models = deployment.lakehouse, deployment.registry
    known = inventory.family_names(lake, models)
    if family is not None and family not in known:
        _check_family(family, known)
        raise NotFound(f"No version of {family} is registered; train one first (`paymentor demo`).")
    shown = known if family is None else [family]
    versions = [e for name in shown for e in inventory.list_versions(lake, models, name)]
    if as_json:
        out.print_json(json.dumps(versions))
        return
    if not versions:
        raise NotFound("No model is registered; train one first (`paymentor demo`).")
    table = Table("family", "version", "state", "trainer", "by", "reason", box=None, pad_edge=False)
    for entry in versions:
        table.add_row(
            entry["family"],
            str(entry["version"]),
            "in force" if entry["is_champion"] else entry["state"],
            escape(entry["trainer"]),
            escape(entry["decided_by"] or ""),
            escape(entry["reason"] or ""),
        )
    out.print(table)


@app.command()
def show(family: _Family, version: _Version, as_json: _Json = False) -> None:
    """One version: metrics, artefact, history of decisions with their checks."""
    deployment = _of_family(family)
    found = inventory.show(deployment.lakehouse, deployment.registry, family, version)
    if as_json:
        out.print_json(json.dumps(found))
        return
    names = ("state", "trainer", "artefact_sha256", "artefact_is_intact", "artefact")
    facts(
        f"{family} version {version}",
        {**{name: found[name] for name in names}, **found["metrics"]},
    )
    for decision in found["decisions"]:
        out.print(
            escape(
                f"{decision['at_utc'][:16]} {decision['state']} by {decision['actor']}: "
                f"{decision['reason']}"
            )
        )
        _print_decision(decision)


@app.command()
def compare(
    family: _Family,
    one: Annotated[int, typer.Argument(help="A version.")],
    other: Annotated[int, typer.Argument(help="Another version.")],
    as_json: _Json = False,
) -> None:
    """The metrics of two versions beside each other, and the checks of the second."""
    deployment = _of_family(family)
    found = inventory.compare(deployment.registry, family, one, other)
    if as_json:
        out.print_json(json.dumps(found))
        return
    table = Table("metric", str(one), str(other), "difference", box=None, pad_edge=False)
    for row in found["metrics"]:
        table.add_row(
            row["metric"],
            _number(row["version"]),
            _number(row["other"]),
            _number(row["difference"], signed=True),
        )
    out.print(table)
    out.print(f"Approving version {other} while {one} is in force would find:")
    _print_checks(found["checks"])


@app.command()
def approve(
    family: _Family,
    version: _Version,
    actor: _Actor,
    reason: _Reason,
    despite: Annotated[
        str | None, typer.Option(help="Why it shall score although a check failed; recorded.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Check a version, and let it score from the next day on."""
    deployment = _of_family(family)
    approved = registry.approve(
        deployment.lakehouse,
        deployment.registry,
        deployment.store,
        family=family,
        version=version,
        actor=actor,
        reason=reason,
        clock=deployment.clock,
        despite=despite,
    )
    decision = _decision_in_force(deployment, family)
    if as_json:
        out.print_json(json.dumps({"family": family, "version": approved, **decision}))
        return
    _print_decision(decision)
    out.print(f"{family} version {approved} is approved.")


@app.command()
def reject(
    family: _Family, version: _Version, actor: _Actor, reason: _Reason, as_json: _Json = False
) -> None:
    """Say that a version shall not score."""
    deployment = _of_family(family)
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
    _say(as_json, family, rejected, "rejected", f"{family} version {rejected} is rejected.")


@app.command()
def rollback(family: _Family, actor: _Actor, reason: _Reason, as_json: _Json = False) -> None:
    """Take the champion out; the version approved before it takes over."""
    deployment = _of_family(family)
    staying = registry.rollback(
        deployment.lakehouse,
        deployment.registry,
        deployment.store,
        family=family,
        actor=actor,
        reason=reason,
        clock=deployment.clock,
    )
    sentence = (
        f"No version of {family} is in force any more: nothing scores until one is approved."
        if staying is None
        else f"{family} version {staying} is in force again."
    )
    _say(as_json, family, staying, "in force", sentence)


def _of_family(family: str) -> Deployment:
    """The doors, once it is sure that there is such a family."""
    deployment = Deployment(Settings.load())
    _check_family(family, inventory.family_names(deployment.lakehouse, deployment.registry))
    return deployment


def _check_family(family: str, registered: list[str]) -> None:
    if family not in registered:
        families.get(family)


def _decision_in_force(deployment: Deployment, family: str) -> dict[str, Any]:
    event = registry.approved_version(deployment.lakehouse, family)
    return {"checks": json.loads(event.checks or "[]"), "despite": event.despite}


def _print_checks(checks: Sequence[Mapping[str, str]]) -> None:
    for check in checks:
        out.print(escape(f"  {check['check']}: {check['status']}, {check['figure']}"))


def _print_decision(decision: Mapping[str, Any]) -> None:
    _print_checks(decision["checks"])
    if decision["despite"]:
        out.print(escape(f"  approved despite that, because: {decision['despite']}"))


def _say(as_json: bool, family: str, version: int | None, state: str, sentence: str) -> None:
    if as_json:
        out.print_json(json.dumps({"family": family, "version": version, "state": state}))
    else:
        out.print(sentence)


def _number(value: float | None, *, signed: bool = False) -> str:
    if value is None:
        return ""
    return f"{value:+.4f}" if signed else f"{value:.4f}"
