"""Was a fetch allowed? Every account payload against the consent it names, all at once.

A payload without a valid consent for its purpose is refused whole: its account is rejected here,
its transactions with it. What counts is the consent as it was known when the file came in.
"""

from __future__ import annotations

import duckdb

from paymentor_assets.ingestion.consents.artefacts import WHOLE, stage_ceilings, template_sql
from paymentor_assets.ingestion.consents.rules import load_fair_use
from resources.duck import quote

#: Columns of relation `known_consents`: all artefacts of the lender in `raw.aa_consents`.
KNOWN_CONSENTS = (
    "consent_id",
    "customer_id",
    "status",
    "created_at_utc",
    "consent_start_utc",
    "consent_expiry_utc",
    "fetch_type",
    "consent_types",
    "fi_types",
    "purpose_code",
    "data_range_from_utc",
    "data_range_to_utc",
    "frequency_unit",
    "frequency_value",
    "consent_template",
    "_known_at",
)
#: Columns of relation `earlier_fetches`: what the lender has in `raw.aa_accounts`.
EARLIER_FETCHES = ("consent_id", "link_ref_number", "fetched_at_utc")

_UNITS = ("HOUR", "DAY", "MONTH", "YEAR")
_SENTENCES = {
    "UNKNOWN_CONSENT": "'is no consent artefact of this customer; deliver the artefact first, "
    "then this account again'",
    "CONSENT_NOT_ACTIVE": "'was not active when the data was fetched (' || fetched_at_utc "
    "|| ' UTC)'",
    "CONSENT_EXPIRED": "'was valid from ' || consent_start_utc || ' to ' || consent_expiry_utc "
    "|| ' UTC, and the data was fetched at ' || fetched_at_utc",
    "UNKNOWN_PURPOSE": "'was given for purpose ' || purpose_code || ', which no rule knows'",
    "FI_TYPE_NOT_COVERED": "'covers ' || fi_types || ' and not ' || fi_type",
    "CONSENT_TYPE_NOT_COVERED": "'covers ' || consent_types || ', and the account holds more'",
    "OUTSIDE_DATA_RANGE": "'covers data from ' || data_range_from_utc || ' to ' "
    "|| data_range_to_utc || ' UTC, and the account holds other transactions'",
    "FREQUENCY_EXCEEDED": "'was used as often as it allows, counted a calendar unit'",
}


def reject_unconsented(con: duckdb.DuckDBPyConnection, *, zone: str) -> None:
    """Faults for accounts of `typed_0` whose consent does not allow what they hold.

    Reads `typed_0`, `typed_1`, `fields_1`, `files`, and the relations `known_consents`
    (KNOWN_CONSENTS) and `earlier_fetches` (EARLIER_FETCHES); adds to `faults`. `zone` is the
    lender's: hours, days, months and years are those of its calendar. Table `fetches_taken`
    carries accepted fetches from one call to the next on the same connection.

    Reason codes in this order, the first that applies: see `_SENTENCES`. An artefact known later
    than the file says nothing about it; REVOKED and EXPIRED are final, whatever comes after.
    """
    stage_ceilings(con)
    con.execute(
        "CREATE TEMP TABLE IF NOT EXISTS fetches_taken "
        "(consent_id VARCHAR, link_ref_number VARCHAR, fetched_at_utc TIMESTAMP)"
    )
    con.execute(_judged())
    con.execute(_frequency(zone))
    cases = " ".join(f"WHEN {quote(k)} THEN {v}" for k, v in _SENTENCES.items())
    con.execute(
        f"""
        INSERT INTO faults
        SELECT 0, file_index, row_number, {WHOLE}, 'consent_id', code,
               name || ', row ' || row_number || ', column consent_id: {{value}} '
               || CASE code {cases} END || '; nothing of the account was taken.', consent_id
        FROM judged JOIN files USING (file_index) WHERE code IS NOT NULL
        """
    )
    con.execute(
        "INSERT INTO fetches_taken SELECT consent_id, link_ref_number, fetched_at_utc "
        "FROM judged WHERE code IS NULL"
    )


def _judged() -> str:
    """Table `judged`: every sound account with its consent and the first code but the last."""
    purposes = ", ".join(map(quote, load_fair_use().purposes))
    return f"""
        CREATE OR REPLACE TEMP TABLE judged AS
        WITH held AS (
            SELECT a.file_index, a.row_number, a.consent_id, a.customer_id, a.link_ref_number,
                   a.fi_type, a.fetched_at_utc, files.known_at,
                   coalesce(a.holder_name_token, a.mobile_token, a.email_token, a.pan_token)
                       IS NOT NULL AS has_profile,
                   inside.line_number IS NOT NULL AS has_transactions,
                   inside.first_at, inside.last_at
            FROM typed_0 AS a JOIN files USING (file_index)
            LEFT JOIN (
                SELECT f.file_index, f.line_number, min(t.transacted_at_utc) AS first_at,
                       max(t.transacted_at_utc) AS last_at
                FROM fields_1 AS f LEFT JOIN typed_1 AS t USING (file_index, row_number)
                GROUP BY ALL
            ) AS inside ON inside.file_index = a.file_index AND inside.line_number = a.row_number
            WHERE a.is_clean
        ),
        told AS (
            SELECT h.file_index, h.row_number, k.* EXCLUDE (consent_id, customer_id),
                   k.created_at_utc <= h.fetched_at_utc AS is_told_in_time,
                   bool_or(is_told_in_time AND k.status IN ('REVOKED', 'EXPIRED'))
                       OVER payload AS is_ended
            FROM held AS h JOIN known_consents AS k USING (consent_id, customer_id)
            WHERE k._known_at <= h.known_at
            WINDOW payload AS (PARTITION BY h.file_index, h.row_number)
            QUALIFY row_number() OVER (
                PARTITION BY h.file_index, h.row_number
                ORDER BY is_told_in_time DESC, k.created_at_utc DESC, k._known_at DESC,
                         k.status = 'ACTIVE'
            ) = 1
        )
        SELECT h.*, t.* EXCLUDE (file_index, row_number, _known_at), {template_sql("t")}
                   AS template,
               string_split(t.consent_types, ';') AS types,
               CASE
                   WHEN t.status IS NULL THEN 'UNKNOWN_CONSENT'
                   WHEN NOT t.is_told_in_time OR t.is_ended OR t.status <> 'ACTIVE'
                       THEN 'CONSENT_NOT_ACTIVE'
                   WHEN h.fetched_at_utc NOT BETWEEN t.consent_start_utc AND t.consent_expiry_utc
                       THEN 'CONSENT_EXPIRED'
                   WHEN t.purpose_code NOT IN ({purposes}) THEN 'UNKNOWN_PURPOSE'
                   WHEN h.fi_type NOT IN (SELECT unnest(string_split(t.fi_types, ';')))
                       THEN 'FI_TYPE_NOT_COVERED'
                   WHEN NOT list_contains(types, 'SUMMARY')
                       OR h.has_profile AND NOT list_contains(types, 'PROFILE')
                       OR h.has_transactions AND NOT list_contains(types, 'TRANSACTIONS')
                       THEN 'CONSENT_TYPE_NOT_COVERED'
                   WHEN h.first_at < t.data_range_from_utc OR h.last_at > t.data_range_to_utc
                       THEN 'OUTSIDE_DATA_RANGE'
               END AS code
        FROM held AS h LEFT JOIN told AS t USING (file_index, row_number)
    """


def _frequency(zone: str) -> str:
    """FREQUENCY_EXCEEDED where fetches of the same account under the same consent, in the same
    calendar unit, already use up the artefact's own frequency or the ceiling of its template."""
    local = "(({c} AT TIME ZONE 'UTC') AT TIME ZONE " + quote(zone) + ")"
    buckets = " ".join(
        f"WHEN '{unit}' THEN date_trunc('{unit.lower()}', {local})" for unit in _UNITS
    )
    mine = f"CASE unit {buckets} END".replace("{c}", "j.fetched_at_utc")
    other = f"CASE unit {buckets} END".replace("{c}", "e.fetched_at_utc")
    return f"""
        UPDATE judged SET code = 'FREQUENCY_EXCEEDED'
        WHERE code IS NULL AND (file_index, row_number) IN (
            WITH fetches AS (
                SELECT consent_id, link_ref_number, fetched_at_utc, min(is_new) AS is_new
                FROM (
                    SELECT *, 0 AS is_new FROM earlier_fetches
                    UNION ALL SELECT *, 0 FROM fetches_taken
                    UNION ALL SELECT consent_id, link_ref_number, fetched_at_utc, 1
                    FROM judged WHERE code IS NULL
                ) GROUP BY ALL
            ),
            limited AS (
                SELECT DISTINCT j.file_index, j.row_number, j.consent_id, j.link_ref_number,
                                j.fetched_at_utc, l.unit, l.allowed
                FROM judged AS j
                LEFT JOIN ceilings AS c USING (template, purpose_code, fetch_type, fi_type),
                LATERAL (
                    SELECT unnest(['EVER', j.frequency_unit, 'DAY', 'MONTH']) AS unit,
                           unnest(CASE WHEN j.fetch_type = 'ONETIME' THEN [1, NULL, NULL, NULL]
                                  ELSE [NULL, j.frequency_value, c.a_day, c.a_month] END)
                               AS allowed
                ) AS l
                WHERE j.code IS NULL AND l.allowed IS NOT NULL AND l.unit <> 'INF'
            )
            SELECT j.file_index, j.row_number
            FROM limited AS j JOIN fetches AS e USING (consent_id, link_ref_number)
            WHERE e.fetched_at_utc <> j.fetched_at_utc
              AND (e.is_new = 0 OR e.fetched_at_utc < j.fetched_at_utc)
              AND {mine} IS NOT DISTINCT FROM {other}
            GROUP BY j.file_index, j.row_number, j.unit, j.allowed
            HAVING count(*) >= any_value(j.allowed)
        )
    """
