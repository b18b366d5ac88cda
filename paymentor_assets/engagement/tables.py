"""Contracts of the engagement tables."""

from __future__ import annotations

import pyarrow as pa

from paymentor_assets.audit.offsets import EXACTLY_ONCE
from resources.lakehouse import TIMESTAMP, UNIT_COST, TableContract, column

RAW_EVENTS = TableContract(
    name="engagement.raw_events",
    description="Provider events as they came: the masked payload to read, the original sealed.",
    key=("shard", "sequence"),
    partition_by=("lender_id", "known_date"),
    properties=EXACTLY_ONCE,
    schema=pa.schema(
        [
            column("lender_id", pa.string(), "Lender whose messages are answered."),
            column("stream", pa.string(), "Stream the event came through."),
            column("shard", pa.string(), "Shard of the stream, <lender>/<shard>."),
            column("sequence", pa.int64(), "Number within the shard: 1, 2, 3 … without gaps."),
            column("provider", pa.string(), "ses, sms, sms_inbound, connect or whatsapp."),
            column(
                "payload", pa.string(), "The provider's JSON with addresses, names and text masked."
            ),
            column(
                "payload_sealed", pa.binary(), "The payload as received, sealed with the vault key."
            ),
            column(
                "address_token", pa.string(), "Token of the borrower's address the event is about."
            ),
            column("received_at_utc", TIMESTAMP, "When the stream received it."),
            column("known_date", pa.date32(), "Lender's calendar day of receipt."),
            column("_known_at", TIMESTAMP, "When the platform could know it: received_at_utc."),
            column("_ingested_at", TIMESTAMP, "When it was committed here; for audit only."),
        ]
    ),
)

EVENTS = TableContract(
    name="engagement.events",
    description="What borrowers and networks did with our messages, one normalised fact a row.",
    key=("event_id",),
    partition_by=("lender_id", "known_date"),
    properties=EXACTLY_ONCE,
    schema=pa.schema(
        [
            column("event_id", pa.string(), "Deterministic: provider and its dedupe key."),
            column("lender_id", pa.string(), "Lender whose message it answers."),
            column("known_date", pa.date32(), "Lender's calendar day of receipt."),
            column("provider", pa.string(), "Feed it came from."),
            column("provider_event", pa.string(), "The provider's own name of the event."),
            column(
                "event_type",
                pa.string(),
                "sent, delivered, bounced, complained, opened, clicked, replied, opted_out, "
                "failed, answered, voicemail or no_answer.",
            ),
            column("detail", pa.string(), "Bounce type, failure reason or the like."),
            column("occurred_at_utc", TIMESTAMP, "When it happened, by the provider."),
            column("channel", pa.string(), "email, sms, whatsapp or voice."),
            column("provider_message_id", pa.string(), "The provider's id of our message."),
            column("action_id", pa.string(), "Action it answers; null when it is not known."),
            column("account_id", pa.string(), "Account of that action."),
            column("customer_id", pa.string(), "Customer of that action or of the address."),
            column(
                "resolved_by", pa.string(), "How the action was found: message, tag, address, none."
            ),
            column("shard", pa.string(), "Where the first copy came from."),
            column("sequence", pa.int64(), "Its number in that shard."),
            column("_known_at", TIMESTAMP, "When the first copy was received."),
            column("_ingested_at", TIMESTAMP, "When the raw event was committed; for audit only."),
        ]
    ),
)

UNPARSED_EVENTS = TableContract(
    name="engagement.unparsed_events",
    description="Raw events that yield no fact, and why; raw_events keeps what they said.",
    key=("shard", "sequence"),
    partition_by=("lender_id", "known_date"),
    properties=EXACTLY_ONCE,
    schema=pa.schema(
        [
            column("lender_id", pa.string(), "Lender."),
            column("shard", pa.string(), "Shard of the stream."),
            column("sequence", pa.int64(), "Number within the shard."),
            column("known_date", pa.date32(), "Lender's calendar day of receipt."),
            column("provider", pa.string(), "Feed it came from."),
            column(
                "reason_code",
                pa.string(),
                "BAD_JSON, UNKNOWN_PROVIDER, MISSING_FIELD, UNKNOWN_TYPE, or NO_FACT for a type "
                "that is known and says nothing new (a delivery delay, a call's set-up).",
            ),
            column("message", pa.string(), "A sentence without personal data."),
            column("_known_at", TIMESTAMP, "When it was received."),
            column("_ingested_at", TIMESTAMP, "When the raw event was committed; for audit only."),
        ]
    ),
)

DELIVERIES = TableContract(
    name="engagement.deliveries",
    description="Every send to a channel and how it ended, copied from the operational store.",
    key=("action_id", "attempt", "status"),
    properties=EXACTLY_ONCE,
    schema=pa.schema(
        [
            column("seq", pa.int64(), "Sequence number in the operational store."),
            column("action_id", pa.string(), "Action."),
            column("attempt", pa.int64(), "Attempt of that action."),
            column("lender_id", pa.string(), "Lender."),
            column("as_of_date", pa.date32(), "Planned day."),
            column("account_id", pa.string(), "Account."),
            column("customer_id", pa.string(), "Customer."),
            column("channel", pa.string(), "email, sms, whatsapp or voice."),
            column("purpose", pa.string(), "collections or marketing."),
            column("provider_message_id", pa.string(), "The provider's id of the message."),
            column("status", pa.string(), "sent or failed."),
            column("occurred_at_utc", TIMESTAMP, "When the channel took or refused it."),
            column("cost", UNIT_COST, "What it cost, in `currency`."),
            column("currency", pa.string(), "ISO 4217."),
            column("known_date", pa.date32(), "Lender's calendar day of occurred_at_utc."),
        ]
    ),
)
DISPATCH_DECISIONS = TableContract(
    name="decisions.dispatch_decisions",
    description="The gate's verdict at dispatch, with the facts it read, for every attempt.",
    key=("action_id", "attempt"),
    properties=EXACTLY_ONCE,
    schema=pa.schema(
        [
            column("seq", pa.int64(), "Sequence number in the operational store."),
            column("action_id", pa.string(), "Action."),
            column("attempt", pa.int64(), "Attempt of that action."),
            column("candidate_id", pa.string(), "Candidate the action was chosen from."),
            column("candidate_kind", pa.string(), "contact or offer."),
            column("lender_id", pa.string(), "Lender."),
            column("as_of_date", pa.date32(), "Planned day."),
            column("verdict", pa.string(), "allow, block or defer."),
            column("violated_rules", pa.string(), "JSON list of {id, version, detail}."),
            column("defer_until_utc", TIMESTAMP, "When a deferred action may be tried again."),
            column("rulebook_version", pa.string(), "Version of the rulebook that judged."),
            column("input_publications", pa.string(), "JSON list of publications that were read."),
            column("facts", pa.string(), "JSON of the facts that were read."),
            column("decided_at_utc", TIMESTAMP, "When."),
        ]
    ),
)
