"""The shape of the facts a judgement reads; a table that is None was not available."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

import pyarrow as pa

from resources.lakehouse import TIMESTAMP

#: Contacts older than this cannot matter to any rule (windows reach 60 days at most).
CONTACT_MEMORY = timedelta(days=63)

PERMISSIONS = pa.schema(
    [
        ("customer_id", pa.string()),
        ("channel", pa.string()),
        ("purpose", pa.string()),
        ("status", pa.string()),
        ("effective_at_utc", TIMESTAMP),
    ]
)
DND = pa.schema(
    [("phone_token", pa.string()), ("registry", pa.string()), ("categories", pa.string())]
)
CUSTOMERS = pa.schema([("customer_id", pa.string())])
SUPPRESSIONS = pa.schema(
    [
        ("customer_id", pa.string()),
        ("channel", pa.string()),
        ("purpose", pa.string()),
        ("effective_at_utc", TIMESTAMP),
    ]
)
CONTACTS = pa.schema(
    [
        ("customer_id", pa.string()),
        ("account_id", pa.string()),
        ("channel", pa.string()),
        ("purpose", pa.string()),
        ("contacted_at_utc", TIMESTAMP),
        ("is_outbound", pa.bool_()),
        ("is_connected", pa.bool_()),
        ("is_conversation", pa.bool_()),
        # Set for our own contacts: a candidate does not count against itself.
        ("candidate_id", pa.string()),
    ]
)


@dataclass(frozen=True)
class GateFacts:
    """What is known about people at `as_of_utc` (naive UTC); None = not available."""

    as_of_utc: datetime
    lender_role: Literal["first_party", "third_party"]
    permissions: pa.Table | None = None
    dnd: pa.Table | None = None
    blacklist: pa.Table | None = None
    fraud: pa.Table | None = None
    suppressions: pa.Table | None = None
    contacts: pa.Table | None = None
    kill_switch: bool | None = None
    #: Stage of the lakehouse to the publication id that was read.
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def publications(self) -> list[str]:
        """The publication ids behind these facts."""
        return sorted(self.sources.values())

    def with_contacts(self, more: pa.Table) -> GateFacts:
        """The same facts with further contacts counted in (schema CONTACTS)."""
        if self.contacts is None:
            return self
        return replace(self, contacts=pa.concat_tables([self.contacts, more.cast(CONTACTS)]))

    def with_hot(self, hot: HotFacts) -> GateFacts:
        """The lake's facts completed by those of the operational store."""
        facts = replace(
            self,
            as_of_utc=hot.as_of_utc,
            suppressions=hot.suppressions,
            kill_switch=hot.kill_switch,
        )
        return facts.with_contacts(hot.contacts)


@dataclass(frozen=True)
class HotFacts:
    """The operational store's half of the facts."""

    as_of_utc: datetime
    suppressions: pa.Table
    contacts: pa.Table
    kill_switch: bool
