"""Which parser reads which format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

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
    "aa_consents": ("aa_consents", "AaConsents"),
    "aa_deposits": ("aa_deposits", "AaDeposits"),
}


def parser_for(contract: FeedContract) -> Parser:
    """A new parser for one batch of files of the feed."""
    module, name = _PARSERS[contract.format]
    make: Callable[[FeedContract], Parser] = getattr(import_module(f"{_PACKAGE}.{module}"), name)
    return make(contract)
