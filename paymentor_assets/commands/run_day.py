"""`paymentor run --date D` and `paymentor ingest`: the day, outside the UI."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from paymentor_assets.commands.console import out, step
from paymentor_assets.commands.jobs import Jobs
from paymentor_assets.deployment import Deployment
from paymentor_assets.ingestion import reconcile
from paymentor_assets.lenders import Lender, lender_named
from paymentor_assets.partitions import LENDER_TAG
from paymentor_assets.settings import Environment
from resources.errors import NotFound, UsageError

#: Where time may be simulated; elsewhere a day is planned by the schedule, in real time.
SIMULATES_TIME = {
    Environment.LOCAL: True,
    Environment.TEST: True,
    Environment.STAGING: False,
    Environment.PRODUCTION: False,
}


def chosen_lenders(deployment: Deployment, lender_id: str | None) -> list[Lender]:
    """The named lender, or all; UsageError when there is none at all."""
    lenders = deployment.lenders
    if lender_id is not None:
        return [lender_named(lenders, lender_id)]
    if not lenders:
        raise UsageError(
            f"{deployment.settings.lenders_dir} holds no lender contract. "
            "Run `paymentor demo`, or write one."
        )
    return list(lenders.values())


def run_day(deployment: Deployment, day: date, lender_id: str | None) -> None:
    """Ingest what waits, then plan and carry out `day` for the chosen lenders."""
    chosen = chosen_lenders(deployment, lender_id)
    jobs = Jobs(deployment)
    for lender in chosen:
        begin_time(deployment, lender, day)
        ingest(deployment, jobs, lender)
        plan(jobs, lender, day)
        carry_out(jobs, lender, day)


def backfill(
    deployment: Deployment, first: date, last: date, stage: str, lender_id: str | None
) -> None:
    """Build the features of every day from `first` to `last` in one build a lender.

    Days that are published and of which nothing is new are left as they are. Raises UsageError for
    another stage (rankings and decisions of past days are replayed, never made up later), and for a
    range that is empty or not over yet.
    """
    if stage != "features":
        raise UsageError(f"Stage {stage!r} cannot be backfilled; `features` can.")
    if last < first:
        raise UsageError(f"The range ends ({last}) before it begins ({first}).")
    chosen = chosen_lenders(deployment, lender_id)
    for lender in chosen:
        if deployment.clock.now() < lender.cutoff_utc(last):
            raise UsageError(
                f"{last} is open until {lender.cutoff_utc(last).isoformat()} for "
                f"{lender.lender_id}; end the range with a closed day."
            )
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    jobs = Jobs(deployment)
    for lender in chosen:
        with step(f"features of {lender.lender_id}, {len(days)} days") as line:
            jobs.run(
                "features_history",
                day=last,
                config={"ops": {"features": {"config": {"as_of_dates": [str(d) for d in days]}}}},
                tags=_tags(lender),
            )
            line.note = f"{first} to {last}, in one build"


def ingest_waiting(deployment: Deployment, lender_id: str | None) -> None:
    """Ingest the files that wait, for the chosen lenders."""
    chosen = chosen_lenders(deployment, lender_id)
    jobs = Jobs(deployment)
    for lender in chosen:
        ingest(deployment, jobs, lender)


def ingest_named(deployment: Deployment, uris: Sequence[str]) -> None:
    """Ingest exactly these files, those among them, too, that were given up.

    Raises NotFound when the landing zone does not hold one of them, or for an unknown lender.
    """
    listed = {file.uri: file for file in deployment.landing_zone.list()}
    if absent := [uri for uri in uris if uri not in listed]:
        raise NotFound(
            f"The landing zone holds no {absent[0]}; name it as in <lender>/<feed>/<file>."
        )
    jobs = Jobs(deployment)
    for lender_id in sorted({listed[uri].lender_id for uri in uris}):
        mine = [uri for uri in uris if listed[uri].lender_id == lender_id]
        lender = lender_named(deployment.lenders, lender_id)
        with step(f"ingest {len(mine)} named files of {lender_id}") as line:
            config = {"ops": {"raw": {"config": {"uris": mine}}}}
            jobs.run("ingest", config=config, tags=_tags(lender))
            statuses = reconcile.statuses(deployment.store, [listed[uri] for uri in mine])
            line.note = ", ".join(f"{n} {status}" for status, n in sorted(statuses.items()))


def begin_time(deployment: Deployment, lender: Lender, day: date) -> None:
    """Move simulated time to the cut-off of `day`, where time is simulated.

    Elsewhere, raises UsageError while the day is still open.
    """
    cutoff = lender.cutoff_utc(day)
    if SIMULATES_TIME[deployment.settings.environment]:
        deployment.clock.advance_to(cutoff)
    elif deployment.clock.now() < cutoff:
        raise UsageError(
            f"{day.isoformat()} is open until {cutoff.isoformat()} for {lender.lender_id}; "
            "a day is planned after its cut-off."
        )


def ingest(deployment: Deployment, jobs: Jobs, lender: Lender) -> None:
    """Take in the files and stream records that wait; both are no-ops when nothing does."""
    files = reconcile.pending(deployment.landing_zone, deployment.store, lender_id=lender.lender_id)
    if files:
        with step(f"ingest {len(files)} files of {lender.lender_id}") as line:
            jobs.run("ingest", tags=_tags(lender))
            left = reconcile.pending(
                deployment.landing_zone, deployment.store, lender_id=lender.lender_id
            )
            line.note = f"{len(left)} left waiting" if left else "none left waiting"
    else:
        out.print(f"No file of {lender.lender_id} is waiting.")
    if any(shard.startswith(f"{lender.lender_id}/") for shard in deployment.streams.shards()):
        with step(f"read the engagement stream of {lender.lender_id}"):
            jobs.run("engagement", tags=_tags(lender))


def plan(jobs: Jobs, lender: Lender, day: date) -> None:
    """Features, rankings, gate, strategies, actions and offers of one day."""
    with step(f"plan {day.isoformat()}"):
        jobs.run("daily", day=day, tags=_tags(lender))


def carry_out(jobs: Jobs, lender: Lender, day: date) -> None:
    """Dispatch the day's plan, each action at its scheduled instant; then copy what happened."""
    with step(f"carry out {day.isoformat()}"):
        jobs.run("dispatch", day=day, tags=_tags(lender))


def _tags(lender: Lender) -> dict[str, str]:
    return {LENDER_TAG: lender.lender_id}
