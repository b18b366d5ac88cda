"""Normalising: each provider's words for what happened, as one set of facts, in SQL.

Input is the relation `raw` (rows of engagement.raw_events), output the relation `found`: one row
for each thing a payload says, with its dedupe key (keys of the providers' own documentation: every
feed is unordered and delivers at least once). A payload that says nothing, or nothing known,
yields a row with a reason code instead of an event type, so that no raw event goes unaccounted for.

Opt-out words are not looked for here: a reply's text is masked (see `opt_outs`).
"""

from __future__ import annotations

import duckdb

from paymentor_assets.engagement.masking import PROVIDERS

_COLUMNS = """
    shard, sequence, provider, provider_event, event_type, reason_code, detail, occurred_at_utc,
    channel, provider_message_id, tagged_action_id, inbound_id, dedupe_key, address_token
"""

_SES = """
    SELECT *,
        payload ->> '$.mail.messageId' AS message_id,
        payload ->> '$.eventType' AS kind,
        CASE kind
            WHEN 'Send' THEN 'sent'
            WHEN 'Delivery' THEN 'delivered'
            WHEN 'Bounce' THEN 'bounced'
            WHEN 'Complaint' THEN 'complained'
            WHEN 'Reject' THEN 'failed'
            WHEN 'Rendering Failure' THEN 'failed'
            WHEN 'Open' THEN 'opened'
            WHEN 'Click' THEN 'clicked'
            WHEN 'Subscription' THEN CASE
                WHEN payload ->> '$.subscription.newTopicPreferences.unsubscribeAll' = 'true'
                    OR list_contains(json_extract_string(payload,
                        '$.subscription.newTopicPreferences.topicSubscriptionStatus[*]'
                        '.subscriptionStatus'), 'OptOut')
                THEN 'opted_out' END
        END AS found_type,
        kind IN ('DeliveryDelay', 'Subscription') AS says_nothing_new,
        coalesce(
            payload ->> '$.open.timestamp', payload ->> '$.click.timestamp',
            payload ->> '$.bounce.timestamp', payload ->> '$.complaint.timestamp',
            payload ->> '$.delivery.timestamp', payload ->> '$.deliveryDelay.timestamp',
            payload ->> '$.subscription.timestamp', payload ->> '$.mail.timestamp'
        ) AS at_text
    FROM raw WHERE provider = 'ses' AND is_readable
"""

_SES_FOUND = f"""
    SELECT shard, sequence, provider, kind AS provider_event, found_type AS event_type,
        CASE WHEN message_id IS NULL OR kind IS NULL THEN 'MISSING_FIELD'
            WHEN found_type IS NOT NULL THEN NULL
            WHEN says_nothing_new THEN 'NO_FACT' ELSE 'UNKNOWN_TYPE' END AS reason_code,
        CASE kind
            WHEN 'Bounce' THEN concat_ws('/', payload ->> '$.bounce.bounceType',
                payload ->> '$.bounce.bounceSubType')
            WHEN 'Complaint' THEN payload ->> '$.complaint.complaintFeedbackType'
            WHEN 'Reject' THEN payload ->> '$.reject.reason'
            WHEN 'Rendering Failure' THEN 'rendering failure' END AS detail,
        TRY_CAST(at_text AS TIMESTAMPTZ)::TIMESTAMP AS occurred_at_utc,
        'email' AS channel,
        message_id AS provider_message_id,
        payload ->> '$.mail.tags.action_id[0]' AS tagged_action_id,
        CAST(NULL AS VARCHAR) AS inbound_id,
        concat_ws(chr(30), message_id, kind, coalesce(at_text, ''), coalesce(address_token, ''),
            coalesce(payload ->> '$.click.link', '')) AS dedupe_key,
        address_token
    FROM ({_SES})
"""

_SMS_FOUND = """
    SELECT shard, sequence, provider, kind AS provider_event, found_type AS event_type,
        CASE WHEN message_id IS NULL OR kind IS NULL THEN 'MISSING_FIELD'
            WHEN found_type IS NOT NULL THEN NULL
            WHEN kind IN ('TEXT_QUEUED', 'TEXT_PENDING') THEN 'NO_FACT'
            ELSE 'UNKNOWN_TYPE' END AS reason_code,
        payload ->> '$.messageStatus' AS detail,
        make_timestamp(TRY_CAST(payload ->> '$.eventTimestamp' AS BIGINT) * 1000)
            AS occurred_at_utc,
        'sms' AS channel,
        message_id AS provider_message_id,
        payload ->> '$.context.action_id' AS tagged_action_id,
        CAST(NULL AS VARCHAR) AS inbound_id,
        concat_ws(chr(30), message_id, kind) AS dedupe_key,
        address_token
    FROM (
        SELECT *, payload ->> '$.messageId' AS message_id, payload ->> '$.eventType' AS kind,
            -- SUCCESSFUL is the carrier's acceptance, DELIVERED the handset's.
            CASE
                WHEN kind = 'TEXT_SUCCESSFUL' THEN 'sent'
                WHEN kind = 'TEXT_DELIVERED' THEN 'delivered'
                WHEN kind IN ('TEXT_BLOCKED', 'TEXT_TTL_EXPIRED', 'TEXT_CARRIER_UNREACHABLE',
                    'TEXT_INVALID', 'TEXT_INVALID_MESSAGE', 'TEXT_CARRIER_BLOCKED',
                    'TEXT_UNREACHABLE', 'TEXT_SPAM', 'TEXT_UNKNOWN', 'TEXT_PROTECT_BLOCKED')
                THEN 'failed'
            END AS found_type
        FROM raw WHERE provider = 'sms' AND is_readable
    )
"""

_SMS_INBOUND_FOUND = """
    SELECT shard, sequence, provider, 'inbound' AS provider_event,
        CASE WHEN inbound_id IS NOT NULL THEN 'replied' END AS event_type,
        CASE WHEN inbound_id IS NULL THEN 'MISSING_FIELD' END AS reason_code,
        CAST(NULL AS VARCHAR) AS detail,
        -- The payload carries no time of its own.
        _known_at AS occurred_at_utc,
        'sms' AS channel,
        payload ->> '$.previousPublishedMessageId' AS provider_message_id,
        CAST(NULL AS VARCHAR) AS tagged_action_id,
        inbound_id,
        inbound_id AS dedupe_key,
        address_token
    FROM (
        SELECT *, payload ->> '$.inboundMessageId' AS inbound_id
        FROM raw WHERE provider = 'sms_inbound' AND is_readable
    )
"""

# Key casing varies between Connect's feeds. A call that reached an agent was answered; one that
# ended otherwise says so only when it disconnects.
_CONNECT_FOUND = """
    SELECT shard, sequence, provider, kind AS provider_event, found_type AS event_type,
        CASE WHEN contact_id IS NULL OR kind IS NULL THEN 'MISSING_FIELD'
            WHEN found_type IS NOT NULL THEN NULL
            WHEN kind IN ('CONNECTED_TO_SYSTEM', 'QUEUED', 'DISCONNECTED', 'COMPLETED',
                'CONTACT_DATA_UPDATED', 'PAUSED', 'RESUMED') THEN 'NO_FACT'
            ELSE 'UNKNOWN_TYPE' END AS reason_code,
        machine AS detail,
        TRY_CAST(at_text AS TIMESTAMPTZ)::TIMESTAMP AS occurred_at_utc,
        'voice' AS channel,
        contact_id AS provider_message_id,
        coalesce(payload ->> '$.detail.tags.action_id', payload ->> '$.detail.Tags.action_id')
            AS tagged_action_id,
        CAST(NULL AS VARCHAR) AS inbound_id,
        concat_ws(chr(30), contact_id, kind, coalesce(at_text, '')) AS dedupe_key,
        address_token
    FROM (
        SELECT *,
            coalesce(payload ->> '$.detail.contactId', payload ->> '$.detail.ContactId')
                AS contact_id,
            upper(coalesce(payload ->> '$.detail.eventType', payload ->> '$.detail.EventType'))
                AS kind,
            upper(coalesce(payload ->> '$.detail.answeringMachineDetectionStatus',
                payload ->> '$.detail.AnsweringMachineDetectionStatus')) AS machine,
            coalesce(payload -> '$.detail.agentInfo', payload -> '$.detail.AgentInfo') IS NOT NULL
                AS had_agent,
            coalesce(payload ->> '$.detail.disconnectTimestamp',
                payload ->> '$.detail.DisconnectTimestamp',
                payload ->> '$.detail.agentInfo.connectedToAgentTimestamp',
                payload ->> '$.detail.AgentInfo.ConnectedToAgentTimestamp',
                payload ->> '$.time') AS at_text,
            CASE
                WHEN kind = 'INITIATED' THEN 'sent'
                WHEN kind = 'CONNECTED_TO_AGENT' THEN 'answered'
                WHEN kind = 'DISCONNECTED' AND starts_with(coalesce(machine, ''), 'VOICEMAIL')
                THEN 'voicemail'
                -- The answer was reported when the agent was reached.
                WHEN kind = 'DISCONNECTED' AND had_agent THEN NULL
                WHEN kind = 'DISCONNECTED' AND machine = 'HUMAN_ANSWERED' THEN 'answered'
                WHEN kind = 'DISCONNECTED' THEN 'no_answer'
            END AS found_type
        FROM raw WHERE provider = 'connect' AND is_readable
    )
"""

_WHATSAPP_FOUND = """
    SELECT shard, sequence, provider, kind AS provider_event, found_type AS event_type,
        CASE WHEN message_id IS NULL OR kind IS NULL THEN 'MISSING_FIELD'
            WHEN found_type IS NULL THEN 'UNKNOWN_TYPE' END AS reason_code,
        item ->> '$.errors[0].code' AS detail,
        make_timestamp(TRY_CAST(item ->> '$.timestamp' AS BIGINT) * 1000000) AS occurred_at_utc,
        'whatsapp' AS channel,
        message_id AS provider_message_id,
        item ->> '$.biz_opaque_callback_data' AS tagged_action_id,
        CAST(NULL AS VARCHAR) AS inbound_id,
        concat_ws(chr(30), message_id, kind) AS dedupe_key,
        address_token
    FROM (
        SELECT *, item ->> '$.id' AS message_id, item ->> '$.status' AS kind,
            CASE kind WHEN 'sent' THEN 'sent' WHEN 'delivered' THEN 'delivered'
                WHEN 'read' THEN 'opened' WHEN 'failed' THEN 'failed' END AS found_type
        FROM (
            SELECT *, unnest(json_extract(
                payload, '$.entry[*].changes[*].value.statuses[*]')) AS item
            FROM raw WHERE provider = 'whatsapp' AND is_readable
        )
    )
    UNION ALL BY NAME
    SELECT shard, sequence, provider, 'inbound' AS provider_event,
        CASE WHEN inbound_id IS NOT NULL THEN 'replied' END AS event_type,
        CASE WHEN inbound_id IS NULL THEN 'MISSING_FIELD' END AS reason_code,
        CAST(NULL AS VARCHAR) AS detail,
        make_timestamp(TRY_CAST(item ->> '$.timestamp' AS BIGINT) * 1000000) AS occurred_at_utc,
        'whatsapp' AS channel,
        item ->> '$.context.id' AS provider_message_id,
        CAST(NULL AS VARCHAR) AS tagged_action_id,
        inbound_id,
        concat_ws(chr(30), 'inbound', inbound_id) AS dedupe_key,
        address_token
    FROM (
        SELECT *, item ->> '$.id' AS inbound_id FROM (
            SELECT *, unnest(json_extract(
                payload, '$.entry[*].changes[*].value.messages[*]')) AS item
            FROM raw WHERE provider = 'whatsapp' AND is_readable
        )
    )
"""


def stage_found(con: duckdb.DuckDBPyConnection) -> None:
    """Make table `found` from the relation `raw`; every raw row has at least one row in it.

    A reason code without an event type means that the row says nothing that is kept as a fact.
    """
    known = ", ".join(f"'{name}'" for name in PROVIDERS)
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE raw AS
        SELECT shard, sequence, lender_id, known_date, provider, address_token, _known_at,
            _ingested_at,
            CASE WHEN json_valid(payload) THEN CAST(payload AS JSON) END AS payload,
            coalesce(json_valid(payload) AND provider IN ({known}), false) AS is_readable,
            provider IN ({known}) AS is_known_provider
        FROM raw_events
        """
    )
    parts = [_SES_FOUND, _SMS_FOUND, _SMS_INBOUND_FOUND, _CONNECT_FOUND, _WHATSAPP_FOUND]
    con.execute(
        "CREATE OR REPLACE TEMP TABLE said AS "
        + " UNION ALL ".join(f"SELECT {_COLUMNS} FROM ({part})" for part in parts)
    )
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE found AS
        SELECT {_COLUMNS} FROM said
        UNION ALL
        SELECT r.shard, r.sequence, r.provider, NULL, NULL,
            CASE WHEN NOT r.is_known_provider THEN 'UNKNOWN_PROVIDER'
                WHEN NOT r.is_readable THEN 'BAD_JSON' ELSE 'NO_FACT' END,
            NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
        FROM raw AS r ANTI JOIN said AS s USING (shard, sequence)
        """
    )
