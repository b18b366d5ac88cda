"""Lenders: who they are, when their day ends, what they send and what a contact costs them.

One YAML a lender in `$PAYMENTOR_HOME/lenders/`; a new lender needs no code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from paymentor_assets.strict_yaml import read_text, read_yaml
from resources.clock import as_utc
from resources.errors import ContractError, NotFound

Channel = Literal["email", "sms", "whatsapp", "voice"]


def _no_number(value: object) -> object:
    # YAML reads an unquoted 10:00 as 600 (base 60), which would pass for ten past midnight.
    if isinstance(value, int | float):
        raise ValueError(f'{value} is a number; write the time in quotes, as in "06:00"')
    return value


def _no_offset(value: time) -> time:
    if value.tzinfo is not None:
        raise ValueError(f"{value} has an offset; write the local time in the lender's zone")
    return value


LocalTime = Annotated[time, BeforeValidator(_no_number), AfterValidator(_no_offset)]


class ChannelTerms(BaseModel):
    """How many contacts a channel can carry a day, and what one costs, by currency."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    daily_capacity: int = Field(ge=0)
    cost: dict[str, Decimal]


class Lender(BaseModel):
    """A lender's contract with the platform."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lender_id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    name: str
    role: Literal["first_party", "third_party"]
    zone: str
    daily_cutoff: LocalTime
    known_at: Literal["receipt", "file_name"] = "receipt"
    feeds: list[str] = Field(min_length=1)
    required_feeds: list[str]
    latest_by: LocalTime
    on_missing: Literal["fail", "run_flagged"] = "fail"
    currencies: list[str] = Field(min_length=1)
    default_language: str = "en"
    slots: list[LocalTime] = Field(min_length=1)
    channels: dict[Channel, ChannelTerms] = Field(min_length=1)
    max_rejected_share: float = Field(default=0.2, ge=0, le=1)

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{zone!r} is not an IANA time zone") from None
        return zone

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Lender:
        unknown = set(self.required_feeds) - set(self.feeds)
        if unknown:
            raise ValueError(f"required feeds {sorted(unknown)} are not among the feeds")
        for channel, terms in self.channels.items():
            absent = set(self.currencies) - set(terms.cost)
            if absent:
                raise ValueError(f"channel {channel} has no cost in {sorted(absent)}")
        return self

    @property
    def tz(self) -> ZoneInfo:
        """The lender's zone."""
        return ZoneInfo(self.zone)

    def cutoff_utc(self, day: date) -> datetime:
        """When knowledge of `day` closes: `daily_cutoff` on the next day, in the lender's zone.

        A local time that does not exist (clocks go forward) is read with the offset before the
        change, an ambiguous one as the first (PEP 495, fold=0).
        """
        local = datetime.combine(day + timedelta(days=1), self.daily_cutoff, tzinfo=self.tz)
        return local.astimezone(UTC)

    def latest_by_utc(self, day: date) -> datetime:
        """Until when the files of `day` are waited for, on the next day."""
        local = datetime.combine(day + timedelta(days=1), self.latest_by, tzinfo=self.tz)
        return local.astimezone(UTC)

    def local_day(self, instant: datetime) -> date:
        """The calendar day of an instant in the lender's zone."""
        return as_utc(instant).astimezone(self.tz).date()

    def last_closed_day(self, instant: datetime) -> date:
        """The newest day whose cut-off is not after `instant`."""
        day = self.local_day(instant)
        while self.cutoff_utc(day) > as_utc(instant):
            day -= timedelta(days=1)
        return day


def read_lender(text: str, source: str) -> Lender:
    """The contract in a text; raises ContractError naming `source` and every wrong field."""
    try:
        return Lender.model_validate(read_yaml(text, source))
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'contract'}: {e['msg']}" for e in error.errors()
        )
        raise ContractError(f"{source} is not a lender contract: {faults}.") from error


def load_lender(path: Path) -> Lender:
    """Read one contract; raises ContractError naming the file and every field that is wrong."""
    lender = read_lender(read_text(path), str(path))
    if lender.lender_id != path.stem:
        raise ContractError(f"{path} names lender_id {lender.lender_id!r}; rename one of them.")
    return lender


def load_lenders(directory: Path) -> dict[str, Lender]:
    """Every lender contract of a folder, by lender id; empty when there is none."""
    return {path.stem: load_lender(path) for path in sorted(directory.glob("*.yaml"))}


class LenderBook(Mapping[str, Lender]):
    """The lender contracts of a folder, read when asked for.

    A long-lived process (the sensors' code server) meets a new lender without a restart.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __getitem__(self, lender_id: str) -> Lender:
        path = self._directory / f"{lender_id}.yaml"
        if not path.exists():
            raise KeyError(lender_id)
        return load_lender(path)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(path.stem for path in self._directory.glob("*.yaml")))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def lender_named(lenders: Mapping[str, Lender], lender_id: str) -> Lender:
    """The lender, or NotFound listing the known ones."""
    try:
        return lenders[lender_id]
    except KeyError:
        known = ", ".join(lenders) or "none"
        raise NotFound(f"No lender {lender_id!r}; known ones: {known}.") from None
