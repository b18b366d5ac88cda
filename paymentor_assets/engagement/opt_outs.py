"""Opt-outs: recognising them in a borrower's own words, and honouring them at once.

Replies are masked in the lakehouse, so their text is opened from the vault for the moment of
reading; what remains is whether it was an opt-out, and the token of the address it came from.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

import pyarrow as pa
import yaml
from sqlalchemy import insert, select

from paymentor_assets.audit import ledger
from paymentor_assets.ids import deterministic_id
from paymentor_assets.ingestion.tokens import token_of
from resources.clock import Clock
from resources.errors import ContractError
from resources.operational_schema import suppressions
from resources.operational_store import OperationalStore
from resources.vault import Vault

ACTOR = "engagement.events"
REPLIES = pa.schema(
    [
        ("shard", pa.string()),
        ("sequence", pa.int64()),
        ("inbound_id", pa.string()),
        ("is_opt_out", pa.bool_()),
        ("address_token", pa.string()),
    ]
)
_CHUNK = 1_000


@dataclass(frozen=True)
class _Words:
    anywhere: re.Pattern[str]
    alone: frozenset[str]
    courtesies: re.Pattern[str]


def is_opt_out(text: str) -> bool:
    """Whether a message asks to be left alone, in any of the languages of the word list."""
    words = _words()
    plain = _plain(text)
    if words.anywhere.search(f" {plain} "):
        return True
    return _plain(words.courtesies.sub(" ", f" {plain} ")) in words.alone


def read_replies(raw: Iterable[Mapping[str, Any]], vault: Vault) -> pa.Table:
    """What each inbound message of these raw events comes to (schema REPLIES).

    `raw` needs shard, sequence, lender_id, provider and payload_sealed. Every opening is written
    down by the vault.
    """
    rows: list[dict[str, object]] = []
    for event in raw:
        shard, sequence = event["shard"], event["sequence"]
        opened = vault.open_record(
            event["payload_sealed"], shard, sequence, actor=ACTOR, purpose="opt-out words"
        )
        for inbound_id, sender, text in _messages(event["provider"], json.loads(opened)):
            token = (
                token_of(vault, event["lender_id"], "phone", f"+{sender.lstrip('+')}")
                if sender
                else None
            )
            rows.append(
                {
                    "shard": shard,
                    "sequence": sequence,
                    "inbound_id": inbound_id,
                    "is_opt_out": is_opt_out(text),
                    "address_token": token,
                }
            )
    return pa.Table.from_pylist(rows, schema=REPLIES)


@dataclass(frozen=True)
class Suppression:
    """Somebody is not to be contacted on a channel, for any purpose, from an instant on."""

    lender_id: str
    customer_id: str
    channel: str
    reason: str
    source_event_id: str
    effective_at_utc: datetime


def suppress(store: OperationalStore, clock: Clock, wanted: Iterable[Suppression]) -> int:
    """Write suppressions that are not there yet, with a ledger entry each; returns how many.

    Idempotent by source event, so it is done before the event is committed: a crash in between
    costs a repetition and never an opt-out.
    """
    by_source = {item.source_event_id: item for item in wanted}
    if not by_source:
        return 0
    fresh = 0
    with store.write() as connection:
        present: set[str] = set()
        sources = sorted(by_source)
        for start in range(0, len(sources), _CHUNK):
            query = select(suppressions.c.source_event_id).where(
                suppressions.c.source_event_id.in_(sources[start : start + _CHUNK])
            )
            present.update(connection.execute(query).scalars())
        for source in sources:
            if source in present:
                continue
            item = by_source[source]
            connection.execute(
                insert(suppressions).values(
                    suppression_id=deterministic_id("suppression", source),
                    purpose="*",
                    **vars(item),
                )
            )
            ledger.append(
                connection,
                clock=clock,
                actor=ACTOR,
                kind="contact.suppressed",
                subject=item.customer_id,
                payload={
                    "channel": item.channel,
                    "reason": item.reason,
                    "source_event_id": source,
                    "effective_at_utc": item.effective_at_utc,
                },
            )
            fresh += 1
    return fresh


def _messages(provider: str, payload: Any) -> Iterable[tuple[str, str | None, str]]:
    """Inbound id, sender and text of every message in an inbound payload."""
    if provider == "sms_inbound":
        if payload.get("inboundMessageId"):
            sender = payload.get("originationNumber")
            yield payload["inboundMessageId"], sender, payload.get("messageBody") or ""
        return
    for entry in payload.get("entry", []):
        for change in entry.get("changes", []):
            for message in change.get("value", {}).get("messages", []):
                if message.get("id"):
                    yield message["id"], message.get("from"), _whatsapp_text(message)


def _whatsapp_text(message: Mapping[str, Any]) -> str:
    interactive = message.get("interactive", {})
    parts = [
        message.get("text", {}).get("body"),
        message.get("button", {}).get("text"),
        interactive.get("button_reply", {}).get("title"),
        interactive.get("list_reply", {}).get("title"),
    ]
    return " ".join(part for part in parts if part)


def _plain(text: str) -> str:
    """Lower case, canonical composition, letters and digits only, single spaces."""
    composed = unicodedata.normalize("NFC", text).casefold().replace("'", "").replace("’", "")
    # Marks (M) are vowels in Indic scripts; everything else but letters and digits parts words.
    kept = (c if unicodedata.category(c)[0] in "LMN" else " " for c in composed)
    return " ".join("".join(kept).split())


@cache
def _words() -> _Words:
    path = files(__package__).joinpath("opt_out_words.yaml")
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        anywhere = [_plain(word) for words in content["anywhere"].values() for word in words]
        alone = [_plain(word) for words in content["alone"].values() for word in words]
        courtesies = [_plain(word) for word in content["courtesies"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise ContractError(f"opt_out_words.yaml is not a word list: {error!r}.") from error
    return _Words(_any_of(anywhere), frozenset(alone), _any_of(courtesies))


def _any_of(words: list[str]) -> re.Pattern[str]:
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(r"(?<= )(?:" + "|".join(map(re.escape, longest_first)) + r")(?= )")
