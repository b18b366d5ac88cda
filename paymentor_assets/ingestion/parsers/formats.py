"""Which parser reads which format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from paymentor_assets.ingestion.aa_crypto import KeyRing
from paymentor_assets.ingestion.contracts.model import FeedContract, Format
from paymentor_assets.ingestion.parsers.interface import Parser

_PACKAGE = "paymentor_assets.ingestion.parsers"
#: Module and class; imported at use, so that a run loads the libraries of its own formats only.
_PARSERS: Mapping[Format, tuple[str, str]] = {
    "delimited": ("delimited", "Delimited"),
    "parquet": ("parquet", "Parquet"),
    "change_log": ("change_log", "ChangeLog"),
    "metro2": ("metro2", "Metro2"),
    "tudf": ("tudf", "Tudf"),
    "us_dnc": ("us_dnc", "UsDnc"),
    "json_lines": ("json_lines", "JsonLines"),
    "aa_deposits": ("aa_accounts", "AaAccounts"),
}


def parser_for(contract: FeedContract, session_keys: KeyRing | None = None) -> Parser:
    """A new parser for one batch of files of the feed.

    `session_keys` open encrypted Account Aggregator payloads; no other format has keys of its own.
    """
    module, name = _PARSERS[contract.format]
    make: Callable[..., Parser] = getattr(import_module(f"{_PACKAGE}.{module}"), name)
    return make(contract, session_keys) if contract.format == "aa_deposits" else make(contract)
