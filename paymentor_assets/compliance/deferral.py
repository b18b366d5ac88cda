"""When waiting ends: the first instant at which the gate would allow a deferred candidate.

Windows of hours open at their opening times, windows of days move at local midnight, rules change
at local midnight. So the first allowed instant is one of these, and asking the gate about each of
them is exact without a second copy of any rule.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta

import pyarrow as pa

from paymentor_assets.compliance.judgement import Judgement
from paymentor_assets.compliance.local_time import to_utc, zone_named
from paymentor_assets.compliance.rules import Rulebook
from paymentor_assets.compliance.violations import (
    LocalHoursOutside,
)
from resources.lakehouse import TIMESTAMP

_PROBES = pa.schema(
    [("time_zone", pa.string()), ("local_date", pa.date32()), ("probe_at_utc", TIMESTAMP)]
)


def first_allowed(judgement: Judgement, rulebook: Rulebook) -> dict[str, object]:
    """candidate_id -> naive UTC instant, for the deferred candidates that waiting cures.

    Judges probes with the facts of `judgement`, unchanged; candidates for which no probe within
    the horizon is allowed are absent.
    """
    con = judgement.con
    places = con.execute(
        "SELECT DISTINCT time_zone, local_date FROM judged WHERE verdict = 'defer' ORDER BY ALL"
    ).fetchall()
    if not places:
        return {}
    openings = _openings(rulebook)
    probes = [
        {"time_zone": zone_name, "local_date": local_date, "probe_at_utc": instant}
        for zone_name, local_date in places
        for instant in _instants(zone_name, local_date, openings, judgement.horizon_days)
    ]
    con.register("probes_in", pa.Table.from_pylist(probes, _PROBES))
    con.execute(
        """
        CREATE OR REPLACE TABLE probes AS
        SELECT c.* REPLACE (p.probe_at_utc AS scheduled_at_utc)
        FROM candidates c JOIN judged j USING (candidate_id)
        JOIN probes_in p ON p.time_zone = j.time_zone AND p.local_date = j.local_date
          AND p.probe_at_utc > c.scheduled_at_utc
        WHERE j.verdict = 'defer'
        """
    )
    judgement.judge_into("probes", "probed")
    found = con.execute(
        "SELECT candidate_id, min(scheduled_at_utc) FROM probed WHERE verdict = 'allow' GROUP BY 1"
    ).fetchall()
    return dict(found)


def _openings(rulebook: Rulebook) -> list[time]:
    opens = {
        rule.predicate.opens
        for rule in rulebook.rules
        if isinstance(rule.predicate, LocalHoursOutside)
    }
    return sorted({time(0), *opens})


def _instants(
    zone_name: str, local_date: datetime, openings: list[time], horizon_days: int
) -> list[datetime]:
    zone = zone_named(zone_name)
    if zone is None:
        return []
    return [
        to_utc(local_date + timedelta(days=ahead), at, zone)
        for ahead in range(horizon_days + 1)
        for at in openings
    ]
