"""Is a consent artefact lawful? Its terms against the ceilings of the fair-use rules.

Only artefacts that open something are judged (ACTIVE): a pause, revocation or expiry takes rights
away and is always recorded.
"""

from __future__ import annotations

import duckdb

from paymentor_assets.ingestion.consents.rules import load_fair_use
from resources.duck import quote

#: Position of a fault that concerns a row as a whole, before those of single columns.
WHOLE = 1
_LIFE_DAYS = """
    CASE data_life_unit WHEN 'INF' THEN 1000000 ELSE data_life_value
         * CASE data_life_unit WHEN 'DAY' THEN 1 WHEN 'MONTH' THEN 31 ELSE 366 END END
"""


def template_sql(artefact: str) -> str:
    """SQL for the template that an artefact (alias) is held to: the one it names, else the assumed
    one of its very consent types, else `*`. Needs table `ceilings`."""
    return f"""coalesce({artefact}.consent_template, (
        SELECT min(s.template) FROM ceilings AS s
        WHERE s.is_assumed AND s.purpose_code = {artefact}.purpose_code
          AND s.fetch_type = {artefact}.fetch_type
          AND s.consent_types = list_sort(string_split({artefact}.consent_types, ';'))
    ), '*')"""


def stage_ceilings(con: duckdb.DuckDBPyConnection) -> None:
    """Table `ceilings`, once a connection."""
    con.register("ceilings_now", load_fair_use().table())
    con.execute("CREATE TEMP TABLE IF NOT EXISTS ceilings AS SELECT * FROM ceilings_now")
    con.unregister("ceilings_now")


def reject_unlawful_consents(con: duckdb.DuckDBPyConnection) -> None:
    """Faults for artefacts of `typed_0` that ask for more than their template allows.

    UNKNOWN_PURPOSE for a purpose code that no rule knows, else CEILING_EXCEEDED at the column that
    goes too far. Periods are compared in whole UTC days, as the guidelines count them. A frequency
    is compared with ceilings of the same or a longer unit; a shorter one is kept fetch by fetch.
    """
    stage_ceilings(con)
    purposes = ", ".join(map(quote, load_fair_use().purposes))
    start, expiry, begin = (
        f"CAST({c} AS DATE)"
        for c in ("consent_start_utc", "consent_expiry_utc", "data_range_from_utc")
    )
    faults = [
        _fault("purpose_code", f"purpose_code NOT IN ({purposes})", "UNKNOWN_PURPOSE",
               "'is no purpose code that a consent may be given for (101 to 105)'"),
        _fault("fi_types", "limit_template IS NULL", "CEILING_EXCEEDED",
               "'asks for ' || fi_type || ', which template ' || template || ' does not cover for "
               "this purpose and fetch type'"),
        _fault("consent_types", "NOT list_has_all(limit_types, string_split(consent_types, ';'))",
               "CEILING_EXCEEDED",
               "'asks for more than ' || array_to_string(limit_types, ', ') || ', the types of "
               "template ' || template"),
        _fault("consent_expiry_utc",
               f"{expiry} > greatest({start} + to_months(expiry_months), "
               f"{start} + to_days(expiry_days))", "CEILING_EXCEEDED",
               "'lies later than template ' || template || ' allows'"),
        _fault("data_range_from_utc",
               f"{begin} < least({start} - to_months(range_months), "
               f"{start} - to_days(range_days))", "CEILING_EXCEEDED",
               "'reaches further back than template ' || template || ' allows'"),
        _fault("data_life_value", f"{_LIFE_DAYS} > life_days", "CEILING_EXCEEDED",
               "'lets the data live longer than template ' || template || ' allows'"),
        _fault("frequency_value",
               "fetch_type = 'PERIODIC' AND (frequency_unit = 'INF' "
               f"OR {_fetches_in('DAY')} > a_day OR {_fetches_in('MONTH')} > a_month)",
               "CEILING_EXCEEDED", "'fetches more often than template ' || template || ' allows'"),
    ]  # fmt: skip
    con.execute(
        f"""
        INSERT INTO faults
        SELECT DISTINCT ON (file_index, row_number, fault.column_name)
               0, file_index, row_number, {WHOLE}, fault.column_name, fault.code,
               name || ', row ' || row_number || ', column ' || fault.column_name || ': '
               || fault.sentence || '; ask for a consent within the fair-use rules.', NULL
        FROM (
            SELECT file_index, row_number, name, fi_type,
                   unnest(list_filter([{", ".join(faults)}], lambda f: f IS NOT NULL)) AS fault
            FROM (
                SELECT t.*, c.* EXCLUDE (template, purpose_code, fetch_type, fi_type,
                                         consent_types),
                       c.template AS limit_template, c.consent_types AS limit_types
                FROM (
                    SELECT t.*, {template_sql("t")} AS template,
                           unnest(string_split(t.fi_types, ';')) AS fi_type
                    FROM typed_0 AS t WHERE t.is_clean AND t.status = 'ACTIVE'
                ) AS t
                LEFT JOIN ceilings AS c USING (template, purpose_code, fetch_type, fi_type)
            ) JOIN files USING (file_index)
        )
        ORDER BY file_index, row_number, fault.column_name, fi_type
        """
    )


def _fault(column: str, condition: str, code: str, sentence: str) -> str:
    """A struct when the condition holds, NULL otherwise."""
    return (
        f"CASE WHEN {condition} THEN {{'column_name': '{column}', 'code': '{code}', "
        f"'sentence': {sentence}}} END"
    )


def _fetches_in(unit: str) -> str:
    """How many fetches the artefact allows in a calendar unit; NULL when its own unit is longer."""
    if unit == "DAY":
        return "(frequency_value * CASE frequency_unit WHEN 'HOUR' THEN 24 WHEN 'DAY' THEN 1 END)"
    return (
        "(frequency_value * CASE frequency_unit WHEN 'HOUR' THEN 24 * 31 WHEN 'DAY' THEN 31 "
        "WHEN 'MONTH' THEN 1 END)"
    )
