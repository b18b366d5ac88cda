"""The kinds of violation a rule may name, each with its parameters."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Country = Literal["IN", "US"]
Channel = Literal["email", "sms", "whatsapp", "voice"]
Purpose = Literal["collections", "marketing"]
Kind = Literal["contact", "offer"]
Role = Literal["first_party", "third_party"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KillSwitchOn(_Strict):
    """Violated while the kill switch is on."""

    kind: Literal["kill_switch_on"]


class JurisdictionUnknown(_Strict):
    """Violated when country, state or time zone is not one the rulebook knows."""

    kind: Literal["jurisdiction_unknown"]
    states: dict[Country, list[str]]


class AddressMissing(_Strict):
    """Violated when there is no address to send to."""

    kind: Literal["address_missing"]


class PermissionNotGranted(_Strict):
    """Violated unless the newest statement for channel and purpose says granted."""

    kind: Literal["permission_not_granted"]


class PermissionWithdrawn(_Strict):
    """Violated when the newest statement for channel and purpose says withdrawn."""

    kind: Literal["permission_withdrawn"]


class Suppressed(_Strict):
    """Violated after a stop word, complaint or permanent bounce on the channel."""

    kind: Literal["suppressed"]


class RegistryListed(_Strict):
    """Violated when the address stands in a do-not-disturb registry.

    `categories` empty means any listing; otherwise one of these or "0" (all).
    """

    kind: Literal["registry_listed"]
    registry: Literal["NCPR", "US_DNC"]
    categories: list[str] = []


class Blacklisted(_Strict):
    """Violated when the lender put the person on its list."""

    kind: Literal["blacklisted"]


class FraudReported(_Strict):
    """Violated while a fraud report is open or confirmed."""

    kind: Literal["fraud_reported"]


class LocalHoursOutside(_Strict):
    """Violated when the send instant, in the person's zone, is before `opens` or after `closes`.

    Both ends belong to the allowed hours ("not before 8 and not after 19").
    """

    kind: Literal["local_hours_outside"]
    opens: time
    closes: time

    @model_validator(mode="after")
    def _in_order(self) -> LocalHoursOutside:
        if self.opens >= self.closes:
            raise ValueError(f"opens {self.opens} is not before closes {self.closes}")
        return self


class ContactsAtLeast(_Strict):
    """Violated when `limit` contacts already lie in the last `window_days` calendar days.

    The day of the candidate is the last day of the window; days are the person's.
    """

    kind: Literal["contacts_at_least"]
    grain: Literal["person", "debt"]
    window_days: int = Field(ge=1, le=60)
    limit: int = Field(ge=1)
    counted_channels: list[Channel] = Field(min_length=1)
    counted_purposes: list[Purpose] = ["collections", "marketing"]
    connected_only: bool = False


class ConversationWithin(_Strict):
    """Violated when fewer than `days` days have passed since a conversation about the debt.

    The day of the conversation is day 1; conversations the person began count too.
    """

    kind: Literal["conversation_within"]
    days: int = Field(ge=1, le=60)


class AmountNotDue(_Strict):
    """Violated when a collections contact speaks of an amount that is not due."""

    kind: Literal["amount_not_due"]


class OfferExpired(_Strict):
    """Violated when the offer has no end or has ended at the send instant."""

    kind: Literal["offer_expired"]


class OfferTermsUnsound(_Strict):
    """Violated when the terms of an offer cannot be an honest loan."""

    kind: Literal["offer_terms_unsound"]
    max_annual_rate: float = Field(gt=0)


Predicate = Annotated[
    KillSwitchOn
    | JurisdictionUnknown
    | AddressMissing
    | PermissionNotGranted
    | PermissionWithdrawn
    | Suppressed
    | RegistryListed
    | Blacklisted
    | FraudReported
    | LocalHoursOutside
    | ContactsAtLeast
    | ConversationWithin
    | AmountNotDue
    | OfferExpired
    | OfferTermsUnsound,
    Field(discriminator="kind"),
]

#: Violations that the passing of time alone ends.
CURABLE = (LocalHoursOutside, ContactsAtLeast, ConversationWithin)
