"""Candidates: every way a person could be contacted on the day after `as_of_date`.

One row for each delinquent account (or offer) x channel x slot, where there is an address. Slots
are local wall-clock times on D+1 in the borrower's zone. `expected_value` is the expected
incremental recovery under the assumption stated in treatments.yaml (for offers: acceptance x
margin), in the currency of the account, before the cost of the contact.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time, timedelta

import duckdb
import pyarrow as pa

from paymentor_assets.compliance.candidate import JUDGED
from paymentor_assets.compliance.local_time import to_utc, zone_named
from paymentor_assets.compliance.rules import Locality, Rulebook
from paymentor_assets.ids import deterministic_id_sql
from paymentor_assets.lenders import Lender
from paymentor_assets.strategies.treatments import OFFER_TREATMENT, Strategy
from resources.clock import naive_utc
from resources.duck import connect, quote
from resources.lakehouse import MONEY, TIMESTAMP, UNIT_COST

READ_FROM_PROFILE = (
    "customer_id",
    "country",
    "state",
    "city",
    "postal_code",
    "time_zone",
    "language",
    "phone_token",
    "email_token",
)
READ_FROM_ACCOUNTS = (
    "account_id",
    "customer_id",
    "product",
    "currency",
    "overdue_amount",
    "days_past_due",
    "bucket",
    "promises_broken_180d",
)
READ_FROM_RANKINGS = (
    "account_id",
    "expected_recovery",
    "is_delinquent",
    "model_name",
    "model_version",
)
READ_FROM_PREFERENCES = (
    "customer_id",
    "channel",
    "p_engage",
    "p_morning",
    "p_midday",
    "p_afternoon",
    "p_evening",
)

#: The gate's columns first, then what planning adds.
CANDIDATES = pa.schema(
    [
        *JUDGED,
        ("slot", pa.string()),
        ("product", pa.string()),
        ("currency", pa.string()),
        ("expected_value", MONEY),
        ("cost", UNIT_COST),
        ("days_past_due", pa.int64()),
        ("treatment", pa.string()),
        ("template_id", pa.string()),
        ("language", pa.string()),
        ("offer_id", pa.string()),
        ("instalments", pa.int64()),
        ("model_name", pa.string()),
        ("model_version", pa.string()),
    ]
)
_SLOTS = pa.schema(
    [
        ("time_zone", pa.string()),
        ("slot", pa.string()),
        ("daypart", pa.string()),
        ("scheduled_at_utc", TIMESTAMP),
    ]
)
#: Named where a contact names its ranking model: an offer's value comes from the offer policy.
OFFER_MODEL = "offer_policy"
_TERMS = pa.schema([("channel", pa.string()), ("currency", pa.string()), ("cost", UNIT_COST)])


@dataclass(frozen=True)
class CandidateInputs:
    """Features, rankings and offers of one lender and day."""

    profile: pa.Table
    accounts: pa.Table
    rankings: pa.Table
    preferences: pa.Table
    offers: pa.Table
    offer_policy_version: str


def build_candidates(
    inputs: CandidateInputs,
    *,
    lender: Lender,
    day: date,
    strategy: Strategy,
    rulebook: Rulebook,
) -> pa.Table:
    """All candidates (schema CANDIDATES), ordered by candidate id."""
    with connect() as con:
        con.register("profile_in", inputs.profile.select(list(READ_FROM_PROFILE)))
        con.register("accounts", inputs.accounts.select(list(READ_FROM_ACCOUNTS)))
        con.register("rankings", inputs.rankings.select(list(READ_FROM_RANKINGS)))
        con.register("preferences", inputs.preferences.select(list(READ_FROM_PREFERENCES)))
        con.register("offers", inputs.offers)
        zones = con.execute("SELECT DISTINCT time_zone FROM profile_in").fetchall()
        con.register("slots", slot_instants(lender, day, (zone for (zone,) in zones)))
        con.register("terms", _terms(lender))
        con.execute(
            f"CREATE TABLE profile AS SELECT *, {locality_sql(rulebook.localities)} AS locality "
            "FROM profile_in"
        )
        _ways(con)
        _subjects(con, strategy, inputs.offer_policy_version)
        return con.execute(_candidates_sql(lender.lender_id, day)).to_arrow_table().cast(CANDIDATES)


def slot_instants(lender: Lender, day: date, zones: Iterable[str | None]) -> pa.Table:
    """The lender's slots on the day after `day` as instants, for each zone.

    Slots that do not come after the cut-off (borrowers far to the east) are left out: they would
    have to be sent before the day is planned. Unknown zones have no slots.
    """
    cutoff = naive_utc(lender.cutoff_utc(day))
    rows = []
    for name in sorted({zone for zone in zones if zone}):
        zone = zone_named(name)
        if zone is None:
            continue
        for slot in sorted(set(lender.slots)):
            instant = to_utc(day + timedelta(days=1), slot, zone)
            if instant > cutoff:
                rows.append(
                    {
                        "time_zone": name,
                        "slot": slot.strftime("%H:%M"),
                        "daypart": daypart(slot),
                        "scheduled_at_utc": instant,
                    }
                )
    return pa.Table.from_pylist(rows, _SLOTS)


def daypart(at: time) -> str:
    """The part of the day as features count it: before 11, before 14, before 17, after."""
    for end, name in ((11, "morning"), (14, "midday"), (17, "afternoon")):
        if at.hour < end:
            return name
    return "evening"


def locality_sql(localities: dict[str, Locality]) -> str:
    """Which locality a postal address lies in; 'elsewhere' when in none, NULL when unknowable."""
    cases = []
    for name, place in sorted(localities.items()):
        there = f"country = {quote(place.country)} AND state = {quote(place.state)}"
        cities = ", ".join(quote(city.lower()) for city in place.cities)
        prefixes = " OR ".join(
            f"starts_with(postal_code, {quote(p)})" for p in place.postal_prefixes
        )
        cases.append(
            f"WHEN {there} AND (coalesce(lower(trim(city)) IN ({cities}), false) "
            f"OR coalesce({prefixes}, false)) THEN {quote(name)}"
        )
        cases.append(f"WHEN {there} AND city IS NULL AND postal_code IS NULL THEN NULL")
    return f"CASE {' '.join(cases)} ELSE 'elsewhere' END" if cases else "'elsewhere'"


def _terms(lender: Lender) -> pa.Table:
    rows = [
        {"channel": channel, "currency": currency, "cost": cost}
        for channel, terms in sorted(lender.channels.items())
        for currency, cost in sorted(terms.cost.items())
    ]
    return pa.Table.from_pylist(rows, _TERMS)


def _ways(con: duckdb.DuckDBPyConnection) -> None:
    """Every person x channel x slot with an address and an estimate of being heard.

    The slot's own estimate where there is one (the day's average times the slot's multiplier),
    otherwise the average.
    """
    con.execute(
        """
        CREATE TABLE ways AS
        SELECT p.customer_id, p.country, p.state, p.locality, p.time_zone, p.language, w.channel,
          CASE w.channel WHEN 'email' THEN p.email_token ELSE p.phone_token END AS address_token,
          s.slot, s.scheduled_at_utc,
          coalesce(CASE s.daypart WHEN 'morning' THEN w.p_morning WHEN 'midday' THEN w.p_midday
            WHEN 'afternoon' THEN w.p_afternoon ELSE w.p_evening END, w.p_engage) AS p_heard
        FROM profile p JOIN preferences w USING (customer_id) JOIN slots s USING (time_zone)
        WHERE coalesce(CASE w.channel WHEN 'email' THEN p.email_token ELSE p.phone_token END, '')
          <> '' AND w.p_engage IS NOT NULL
        """
    )


def _subjects(con: duckdb.DuckDBPyConnection, strategy: Strategy, policy_version: str) -> None:
    """What there is to talk about: delinquent accounts with their treatment, and offers."""
    rows = [
        {
            "entry": index,
            "treatment": entry.treatment,
            "uplift": entry.uplift,
            "instalments": entry.instalments,
        }
        for index, entry in enumerate(strategy.treatments)
    ]
    con.register(
        "entries",
        pa.Table.from_pylist(
            rows,
            pa.schema(
                [
                    ("entry", pa.int64()),
                    ("treatment", pa.string()),
                    ("uplift", pa.float64()),
                    ("instalments", pa.int64()),
                ]
            ),
        ),
    )
    con.execute(
        f"""
        CREATE TABLE subjects AS
        SELECT 'contact' AS candidate_kind, a.account_id, a.customer_id, 'collections' AS purpose,
          a.product, a.currency, a.overdue_amount AS amount_due, a.days_past_due,
          CAST(r.expected_recovery AS DOUBLE) * e.uplift AS value_if_heard,
          e.treatment, e.instalments, r.model_name, r.model_version,
          CAST(NULL AS VARCHAR) AS offer_id,
          CAST(NULL AS DECIMAL(18,2)) AS offer_amount, CAST(NULL AS DOUBLE) AS offer_annual_rate,
          CAST(NULL AS BIGINT) AS offer_tenor_months, CAST(NULL AS DECIMAL(18,2)) AS offer_emi,
          CAST(NULL AS TIMESTAMP) AS offer_expires_at_utc
        FROM accounts a JOIN rankings r USING (account_id)
        JOIN entries e ON e.entry = {strategy.entry_sql("a")}
        WHERE r.is_delinquent
        UNION ALL
        -- An answer to an application is judged as marketing, too: the stricter of the two, until
        -- the rulebook has a category for what a customer asked for.
        SELECT 'offer', NULL, o.customer_id, 'marketing', o.product, o.currency, NULL, 0,
          o.p_accept * CAST(o.expected_margin AS DOUBLE), {quote(OFFER_TREATMENT)}, NULL,
          {quote(OFFER_MODEL)}, {quote(policy_version)}, o.offer_id, o.amount, o.annual_rate,
          o.tenor_months, o.emi, o.expires_at_utc
        FROM offers o
        """
    )


def _candidates_sql(lender_id: str, day: date) -> str:
    identity = deterministic_id_sql(
        quote("candidate"),
        quote(lender_id),
        quote(day.isoformat()),
        "s.candidate_kind",
        "coalesce(s.account_id, s.offer_id)",
        "w.channel",
        "w.slot",
    )
    return f"""
        SELECT {identity} AS candidate_id, s.candidate_kind, s.account_id, s.customer_id, s.purpose,
          w.channel, w.scheduled_at_utc, w.time_zone, w.country, w.state, w.locality,
          w.address_token, s.amount_due, s.offer_amount, s.offer_annual_rate, s.offer_tenor_months,
          s.offer_emi, s.offer_expires_at_utc, w.slot, s.product, s.currency,
          CAST(round(s.value_if_heard * w.p_heard, 2) AS DECIMAL(18,2)) AS expected_value,
          t.cost, s.days_past_due, s.treatment, s.treatment || '.' || w.channel AS template_id,
          w.language, s.offer_id, s.instalments, s.model_name, s.model_version
        FROM subjects s JOIN ways w USING (customer_id)
        JOIN terms t ON t.channel = w.channel AND t.currency = s.currency
        WHERE s.value_if_heard IS NOT NULL
        ORDER BY candidate_id
    """
