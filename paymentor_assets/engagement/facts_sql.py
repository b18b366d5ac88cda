"""SQL from what was found in payloads to facts, opt-outs and what yields no fact.

Reads the tables that `normalise` and `resolution` stage: raw, found, by_message, by_tag,
by_address, known_ids.
"""

from __future__ import annotations

from paymentor_assets.ids import deterministic_id_sql

_EVENT_ID = deterministic_id_sql("r.lender_id", "f.provider", "f.dedupe_key")

#: Makes `identified`: every fact that was said, each copy.
IDENTIFIED_SQL = f"""
    CREATE OR REPLACE TEMP TABLE identified AS
    WITH one_address AS (
        SELECT lender_id, reference, any_value(customer_id) AS customer_id
        FROM by_address GROUP BY lender_id, reference HAVING count(DISTINCT customer_id) = 1
    )
    SELECT
        {_EVENT_ID} AS event_id,
        r.lender_id,
        r.known_date,
        f.provider,
        f.provider_event,
        f.event_type,
        f.detail,
        -- A provider's clock may be absent or garbled; then receipt is the best there is.
        coalesce(f.occurred_at_utc, r._known_at) AS occurred_at_utc,
        f.channel,
        f.provider_message_id,
        coalesce(m.action_id, t.action_id) AS action_id,
        coalesce(m.account_id, t.account_id) AS account_id,
        coalesce(m.customer_id, t.customer_id, a.customer_id) AS customer_id,
        CASE WHEN m.action_id IS NOT NULL THEN 'message' WHEN t.action_id IS NOT NULL THEN 'tag'
            WHEN a.customer_id IS NOT NULL THEN 'address' ELSE 'none' END AS resolved_by,
        f.shard,
        f.sequence,
        f.address_token,
        r._known_at,
        r._ingested_at
    FROM found AS f
    JOIN raw AS r USING (shard, sequence)
    LEFT JOIN by_message AS m
        ON m.reference = f.provider_message_id AND m.lender_id = r.lender_id
    LEFT JOIN by_tag AS t ON t.reference = f.tagged_action_id AND t.lender_id = r.lender_id
    LEFT JOIN one_address AS a
        ON a.reference = f.address_token AND a.lender_id = r.lender_id
    WHERE f.reason_code IS NULL
"""

#: Makes `facts`: each fact that is not committed yet, once.
FACTS_SQL = """
    CREATE OR REPLACE TEMP TABLE facts AS
    SELECT i.* FROM identified AS i ANTI JOIN known_ids AS k USING (event_id)
    QUALIFY row_number() OVER (
        PARTITION BY i.event_id ORDER BY i._known_at, i.shard, i.sequence) = 1
"""

#: Who must be left alone because of what was said, by copies as well: writing it is idempotent.
#: An opt-out that only an address explains holds for everybody who has that address.
SUPPRESSIONS_SQL = """
    WITH reasons AS (
        SELECT *,
            CASE
                WHEN event_type = 'opted_out' THEN 'opted_out'
                WHEN event_type = 'complained' THEN 'complained'
                WHEN event_type = 'bounced' AND starts_with(coalesce(detail, ''), 'Permanent')
                THEN 'hard_bounce'
                WHEN event_type = 'failed' AND provider_event = 'TEXT_INVALID'
                THEN 'invalid_address'
            END AS reason
        FROM identified
    ), people AS (
        SELECT event_id AS source_event_id, lender_id, customer_id, channel, reason, _known_at
        FROM reasons
        WHERE reason IS NOT NULL AND customer_id IS NOT NULL AND resolved_by <> 'address'
        UNION ALL
        SELECT r.event_id || ':' || a.customer_id, r.lender_id, a.customer_id, r.channel, r.reason,
            r._known_at
        FROM reasons AS r
        JOIN by_address AS a ON a.reference = r.address_token AND a.lender_id = r.lender_id
        WHERE r.reason IS NOT NULL AND r.resolved_by IN ('address', 'none')
    )
    SELECT lender_id, customer_id, channel, any_value(reason) AS reason, source_event_id,
        min(_known_at) AS effective_at_utc
    FROM people GROUP BY lender_id, customer_id, channel, source_event_id
    ORDER BY source_event_id
"""

UNPARSED_SQL = """
    SELECT
        r.lender_id,
        f.shard,
        f.sequence,
        r.known_date,
        r.provider,
        min(f.reason_code) AS reason_code,
        'Event ' || f.sequence || ' of ' || f.shard || ' from ' || r.provider || ' yields no fact: '
            || string_agg(DISTINCT f.reason_code || coalesce(' (' || f.provider_event || ')', ''),
                ', ' ORDER BY f.reason_code || coalesce(' (' || f.provider_event || ')', ''))
            || '; its payload is kept sealed in engagement.raw_events.' AS message,
        any_value(r._known_at) AS _known_at,
        any_value(r._ingested_at) AS _ingested_at
    FROM found AS f JOIN raw AS r USING (shard, sequence)
    WHERE f.reason_code IS NOT NULL
    GROUP BY r.lender_id, f.shard, f.sequence, r.known_date, r.provider
    ORDER BY f.shard, f.sequence
"""
