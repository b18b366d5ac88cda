"""`paymentor lender init`: a new lender's contracts, folders and example files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from paymentor_assets.ingestion.contracts.book import load_feeds
from paymentor_assets.ingestion.contracts.example import example_file
from paymentor_assets.ingestion.contracts.model import FeedContract
from paymentor_assets.ingestion.contracts.odcs_writing import write_contract
from paymentor_assets.lenders import read_lender
from paymentor_assets.settings import Settings
from resources.clock import Clock
from resources.errors import NotFound, UsageError


@dataclass(frozen=True)
class Wishes:
    """What the person asked for; the rest is the country's custom."""

    lender_id: str
    country: str
    name: str | None
    role: str
    zone: str | None
    feeds: Sequence[str]


@dataclass(frozen=True)
class _Country:
    zone: str
    currency: str
    email: str
    sms: str
    whatsapp: str
    voice: str


#: Prices are of the order of what providers charge; the lender writes its own.
_COUNTRIES = {
    "IN": _Country("Asia/Kolkata", "INR", "0.02", "0.18", "0.35", "18.00"),
    "US": _Country("America/New_York", "USD", "0.0004", "0.0095", "0.0120", "0.85"),
    "CZ": _Country("Europe/Prague", "CZK", "0.01", "0.90", "0.80", "12.00"),
}

_LENDER = """\
# The contract of {lender_id} with the platform. Times are local, in quotes.
lender_id: {lender_id}
name: {name}
role: {role}                # first_party, or third_party: collects for others
zone: {zone}
daily_cutoff: "06:00"            # files of a day count until then, the next morning
known_at: receipt                # or file_name: from the instant in the name, for history loads
feeds: [{feeds}]
required_feeds: [{required}]      # a day is planned when these are in,
latest_by: "09:00"               # or at this time the next morning,
on_missing: fail                 # then: fail, or run_flagged
max_rejected_share: 0.05         # a file with more bad rows is refused whole
currencies: [{currency}]
slots: ["09:00", "12:00", "15:00", "18:00"]
channels:                        # contacts a day, and the price of one: write your own
  email: {{daily_capacity: 1000, cost: {{{currency}: "{email}"}}}}
  sms: {{daily_capacity: 500, cost: {{{currency}: "{sms}"}}}}
  whatsapp: {{daily_capacity: 200, cost: {{{currency}: "{whatsapp}"}}}}
  voice: {{daily_capacity: 50, cost: {{{currency}: "{voice}"}}}}
"""

_HEAD = """\
# How {lender_id} writes its files of feed {feed}, in the Open Data Contract Standard.
# Delete this file when they look like the example: the platform's contract then holds.
#
# What may be changed:
#   a column's name in the file:   physicalName: CUST_NO
#   a date's form:                 logicalTypeOptions: {{format: dd-MM-yyyy}}
#   the file (under servers):      encoding: ISO-8859-1 or UTF-16, and any of
#       customProperties:
#         - {{property: delimiter, value: "|"}}
#         - {{property: compression, value: gzip}}          or zip
#         - {{property: encryption, value: openpgp}}        and signed, unless also
#         - {{property: signed, value: false}}
#   checks, to be stricter:        minimum, maximum, pattern, enum, required
#   a property that is not required may be removed: its column stays empty
#   the file as a whole (in the first schema, beside properties):
#       quality:
#         - {{metric: rowCount, mustBeBetween: [1, 5000000]}}
#         - {{type: custom, engine: paymentor, implementation: {{maxRejectedShare: 0.01}}}}
#     and (beside schema):
#       slaProperties: [{{property: latency, value: 3, unit: d}}]          refused when older
# What may not: names of tables and properties, types, keys, and what is personal data.
"""


def init(settings: Settings, clock: Clock, wishes: Wishes) -> dict[Path, str]:
    """Write everything; returns what was made, and what it is.

    Raises UsageError for a lender that exists or a country without customs, NotFound for an
    unknown feed, ContractError when the wishes make no valid contract; then nothing is written.
    """
    lender_id = wishes.lender_id
    contract_path = settings.lenders_dir / f"{lender_id}.yaml"
    own_dir = settings.lenders_dir / lender_id
    for path in (contract_path, own_dir):
        if path.exists():
            raise UsageError(f"{path} exists; nothing was written. Edit it, or remove it first.")
    feeds = _feeds(wishes.feeds)
    terms = _terms(wishes)
    lender = read_lender(terms, f"The contract of {lender_id!r}")
    files: dict[Path, tuple[bytes, str]] = {contract_path: (terms.encode(), "its terms")}
    business_date = lender.local_day(clock.now()) - timedelta(days=1)
    for contract in feeds:
        own = _HEAD.format(lender_id=lender_id, feed=contract.feed) + write_contract(
            contract, lender_id=lender_id
        )
        path = own_dir / f"{contract.feed}.yaml"
        files[path] = (own.encode(), f"how its {contract.feed} files look")
        if contract.format == "delimited":
            example = own_dir / "examples" / f"{contract.feed}_{business_date}.csv"
            files[example] = (example_file(contract, business_date), "an example of one")
    made = {}
    for path, (content, what) in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        made[path] = what
    for contract in feeds:
        folder = settings.landing_dir / lender_id / contract.feed
        folder.mkdir(parents=True, exist_ok=True)
        made[folder] = "where they are put"
    return made


def _feeds(names: Sequence[str]) -> list[FeedContract]:
    known = load_feeds()
    if unknown := [name for name in names if name not in known]:
        raise NotFound(f"No feed {', '.join(unknown)}; there are {', '.join(sorted(known))}.")
    if not names:
        raise UsageError(f"A lender delivers something; there are {', '.join(sorted(known))}.")
    return [known[name] for name in dict.fromkeys(names)]


def _terms(wishes: Wishes) -> str:
    country = _COUNTRIES.get(wishes.country.upper())
    if country is None:
        raise UsageError(
            f"No customs of country {wishes.country!r} are known, only of "
            f"{', '.join(_COUNTRIES)}; take one of them and edit the contract."
        )
    daily = [feed for feed in ("portfolio", "payments") if feed in wishes.feeds]
    return _LENDER.format(
        lender_id=wishes.lender_id,
        name=_quoted(wishes.name or wishes.lender_id.replace("_", " ").title()),
        role=wishes.role,
        zone=wishes.zone or country.zone,
        feeds=", ".join(dict.fromkeys(wishes.feeds)),
        required=", ".join(daily),
        **{name: getattr(country, name) for name in country.__dataclass_fields__ if name != "zone"},
    )


def _quoted(text: str) -> str:
    """Text as a YAML scalar that cannot be anything else."""
    return "'" + text.replace("'", "''") + "'"
