"""`paymentor demo`: a synthetic lender, taken through the whole lineage once.

The simulator's functions are handed in: the platform itself does not know it. A second call with
the same arguments finds everything done, recomputes the last day, compares, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from paymentor_assets.audit.publications import all_publications
from paymentor_assets.commands import run_day
from paymentor_assets.commands.console import out, step
from paymentor_assets.commands.jobs import Jobs, RunFailedError
from paymentor_assets.commands.summary import summary
from paymentor_assets.deployment import Deployment
from paymentor_assets.lenders import lender_named
from paymentor_assets.models import families
from paymentor_assets.models import registry as approvals
from paymentor_assets.models.families import customer_ranking
from resources.errors import ApprovalError, NoApprovedModel, UsageError

LENDER_ID = "meridian"
APPROVER = "demo-approver"
#: Before this much history an as-of date has too little behind it to learn from.
_WARM_UP = timedelta(days=14)
_WEEK = timedelta(days=7)
#: Outcomes take 30 days to be known and later days are kept apart for testing.
_SHORTEST = 110
#: Answers to the last messages of a day arrive within hours.
_ANSWERING_TIME = timedelta(hours=3)


def demo(
    deployment: Deployment,
    *,
    customers: int,
    days: int,
    seed: int,
    generate: Callable[..., Any],
    respond: Callable[..., Any],
    world: Callable[..., Any],
) -> None:
    """Simulate, ingest, backfill, train, approve, run the last day, and let borrowers answer.

    Raises UsageError when there is too little history to learn from.
    """
    before = _state(deployment)
    if days < _SHORTEST:
        raise UsageError(
            f"{days} days are too few to learn from and to test on later days; give at least "
            f"--days {_SHORTEST}."
        )
    last_day = _simulate(deployment, customers, days, seed, generate)
    lender = lender_named(deployment.lenders, LENDER_ID)
    jobs = Jobs(deployment)
    run_day.begin_time(deployment, lender, last_day)
    run_day.ingest(deployment, jobs, lender)
    if not _has_approved_model(deployment):
        _learn(deployment, jobs, last_day, last_day - timedelta(days=days - 1))
    run_day.plan(jobs, lender, last_day)
    run_day.carry_out(jobs, lender, last_day)
    with step("let borrowers answer") as line:
        until = deployment.clock.now() + (timedelta() if before else _ANSWERING_TIME)
        answered = respond(
            deployment.settings.home,
            world=world(seed=seed),
            seed=seed,
            until=until,
            lender_id=LENDER_ID,
        )
        deployment.clock.advance_to(until)
        line.note = f"{answered.events} events, {answered.payments} payments"
    run_day.ingest(deployment, jobs, lender)
    out.print()
    summary(deployment, lender, last_day)
    if before and before == _state(deployment):
        out.print("\nNothing changed: this demo had already run, and it still says the same.")


def _simulate(
    deployment: Deployment, customers: int, days: int, seed: int, generate: Callable[..., Any]
) -> date:
    with step(f"simulate {customers:,} customers over {days} days") as line:
        made = generate(
            deployment.settings.home, lender_id=LENDER_ID, customers=customers, days=days, seed=seed
        )
        rows = sum(made.rows.values())
        line.note = (
            f"{made.files:,} files, {rows:,} rows, {made.dirty_rows:,} of them wrong on purpose"
            if made.is_new
            else "was there already"
        )
    last_day: date = made.last_day
    return last_day


def _has_approved_model(deployment: Deployment) -> bool:
    try:
        approvals.approved_version(deployment.lakehouse, customer_ranking.FAMILY)
    except NoApprovedModel:
        return False
    return True


def _learn(deployment: Deployment, jobs: Jobs, last_day: date, first_day: date) -> None:
    weekly: list[date] = []
    day = last_day - _WEEK
    while day >= first_day + _WARM_UP:
        weekly.append(day)
        day -= _WEEK
    with step(f"features of {len(weekly)} weekly days") as line:
        jobs.run(
            "features_history",
            day=weekly[0],
            config={"ops": {"features": {"config": {"as_of_dates": [str(d) for d in weekly]}}}},
        )
        line.note = "one dbt build, one publication"
    with step("extract what may be learnt from, without identities"):
        jobs.run("training_extract")
    with step("train the customer ranking"):
        jobs.run_development("train_customer_ranking")
    with step("approve it") as line:
        version = _approve(deployment, customer_ranking.FAMILY)
        line.note = f"version {version} by {APPROVER}, who is not a person"
    for family in (name for name in families.NAMES if name != customer_ranking.FAMILY):
        with step(f"train and approve {family}") as line:
            try:
                jobs.run_development(f"train_{family}")
            except RunFailedError as error:
                # A lender this small cannot teach every family; the run says which, and why.
                line.note = f"not trained: {error}"
                continue
            try:
                line.note = f"version {_approve(deployment, family)}"
            except ApprovalError as error:
                line.note = f"not approved: {error}"


def _approve(deployment: Deployment, family: str) -> int:
    return approvals.approve(
        deployment.lakehouse,
        deployment.registry,
        deployment.store,
        family=family,
        actor=APPROVER,
        reason="Demo: approved without a person's review, to show the path.",
        clock=deployment.clock,
    )


def _state(deployment: Deployment) -> list[tuple[int, str]]:
    return [(p.sequence, p.publication_id) for p in all_publications(deployment.lakehouse)]
