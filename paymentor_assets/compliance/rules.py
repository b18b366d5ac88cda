"""Rules as data: the model of a rulebook file, and which rules are in force on a day.

A rule is one or more clauses under one id; a clause is a scope (where, for whom, since when), a
predicate of *violation* with parameters, and whether waiting alone can cure it. Officers edit the
YAML files; `Rulebook.version` changes with any of their bytes that mean something.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import pairwise

import orjson
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from paymentor_assets.compliance.violations import (
    CURABLE,
    Channel,
    Country,
    KillSwitchOn,
    Kind,
    Predicate,
    Purpose,
    Role,
)
from resources.errors import GateError

#: The mask is a signed 64-bit integer; a bit for each clause.
MOST_CLAUSES = 62


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Strict):
    """One clause of one rule: scope, violation predicate, source."""

    id: str = Field(pattern=r"^[A-Z0-9-]+[a-z0-9]*$")
    clause: str = Field(default="main", pattern=r"^[a-z0-9_]+$")
    version: int = Field(ge=1)
    title: str
    effective_from: date
    effective_to: date | None = None
    countries: list[Country] = []
    states: list[str] = []
    localities: list[str] = []
    lender_roles: list[Role] = ["first_party", "third_party"]
    kinds: list[Kind] = ["contact", "offer"]
    purposes: list[Purpose] = ["collections", "marketing"]
    channels: list[Channel] = ["email", "sms", "whatsapp", "voice"]
    predicate: Predicate
    waiting_cures: bool = False
    source: str

    @model_validator(mode="after")
    def _means_something(self) -> Rule:
        if self.waiting_cures and not isinstance(self.predicate, CURABLE):
            raise ValueError(f"{self.predicate.kind} is not cured by waiting")
        if self.effective_to is not None and self.effective_to <= self.effective_from:
            raise ValueError("effective_to (exclusive) is not after effective_from")
        if self.states and len(self.countries) != 1:
            raise ValueError("a rule for states names exactly one country")
        return self

    @property
    def name(self) -> str:
        """`id` or `id/clause`, as people read it."""
        return self.id if self.clause == "main" else f"{self.id}/{self.clause}"

    def is_in_force(self, day: date) -> bool:
        """Whether the rule is in force on a calendar day (the person's)."""
        return self.effective_from <= day and (self.effective_to is None or day < self.effective_to)


class Locality(_Strict):
    """A city with rules of its own: how a postal address is recognised as lying in it."""

    country: Country
    state: str
    cities: list[str]
    postal_prefixes: list[str]


class Rulebook(_Strict):
    """All clauses, in the order of their bits, and the localities they name."""

    rules: tuple[Rule, ...]
    localities: dict[str, Locality] = {}

    @model_validator(mode="after")
    def _is_consistent(self) -> Rulebook:
        seen: dict[tuple[str, str, int], Rule] = {}
        for rule in self.rules:
            key = (rule.id, rule.clause, rule.version)
            if key in seen:
                raise ValueError(f"{rule.name} version {rule.version} is written twice")
            seen[key] = rule
            unknown = set(rule.localities) - set(self.localities)
            if unknown:
                raise ValueError(f"{rule.name} names unknown localities {sorted(unknown)}")
        _refuse_overlaps(self.rules)
        if len(self.rules) > MOST_CLAUSES:
            raise ValueError(f"{len(self.rules)} clauses; the mask holds {MOST_CLAUSES}")
        if not any(isinstance(rule.predicate, KillSwitchOn) for rule in self.rules):
            raise ValueError("no rule reads the kill switch")
        return self

    @classmethod
    def of(
        cls, rules: Iterable[Rule], localities: Mapping[str, Locality] | None = None
    ) -> Rulebook:
        """A rulebook of these rules, ordered by id, clause and version."""
        ordered = tuple(sorted(rules, key=lambda rule: (rule.id, rule.clause, rule.version)))
        return cls(rules=ordered, localities=dict(localities or {}))

    @classmethod
    def load(cls, directory: Traversable | None = None) -> Rulebook:
        """Read every `*.yaml` of a folder (by default the one beside this file).

        Raises GateError naming file and field; without a readable rulebook nothing may leave.
        """
        if directory is None:
            return _shipped()
        rules: list[Rule] = []
        localities: dict[str, Locality] = {}
        paths = sorted((p for p in directory.iterdir() if p.name.endswith(".yaml")), key=_name)
        if not paths:
            raise GateError(
                f"The rulebook folder {directory} holds no *.yaml file; nothing may leave."
            )
        for path in paths:
            page = _read_page(path)
            rules.extend(page.rules)
            localities.update(page.localities)
        try:
            return cls.of(rules, localities)
        except ValidationError as error:
            raise GateError(f"The rulebook in {directory} contradicts itself: {error}") from error

    @property
    def version(self) -> str:
        """16 hex characters of the SHA-256 over the meaning of all rules."""
        content = orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
        return sha256(content).hexdigest()[:16]

    def in_force(self, day: date) -> list[Rule]:
        """The clauses in force on a calendar day, in the order of their bits."""
        return [rule for rule in self.rules if rule.is_in_force(day)]


@cache
def _shipped() -> Rulebook:
    return Rulebook.load(files(__package__).joinpath("rulebooks"))


class _Page(_Strict):
    rules: list[Rule] = []
    localities: dict[str, Locality] = {}


def _name(path: Traversable) -> str:
    return path.name


def _read_page(path: Traversable) -> _Page:
    try:
        return _Page.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except yaml.YAMLError as error:
        raise GateError(f"The rulebook page {path.name} is not YAML: {error}") from error
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
        )
        raise GateError(f"The rulebook page {path.name} is not valid: {faults}.") from error


def _refuse_overlaps(rules: Iterable[Rule]) -> None:
    clauses: dict[tuple[str, str], list[Rule]] = {}
    for rule in rules:
        clauses.setdefault((rule.id, rule.clause), []).append(rule)
    for versions in clauses.values():
        ordered = sorted(versions, key=lambda rule: rule.effective_from)
        for earlier, later in pairwise(ordered):
            if earlier.effective_to is None or earlier.effective_to > later.effective_from:
                raise ValueError(
                    f"{earlier.name} versions {earlier.version} and {later.version} are in force "
                    "on the same day; end the earlier one where the later one begins"
                )
