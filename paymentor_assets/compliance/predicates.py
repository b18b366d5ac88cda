"""From rule to SQL: every clause becomes one Boolean over the joined candidate row.

A violation expression is TRUE (violated), FALSE (not) or NULL (a fact it needs is missing); the
gate turns NULL into a block. The columns it may use are those of `JUDGED_COLUMNS` plus the counts
the clause itself asks for (`counted`), all computed by the gate in one pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time

from paymentor_assets.compliance.rules import Rule
from paymentor_assets.compliance.violations import (
    AddressMissing,
    AmountNotDue,
    Blacklisted,
    ContactsAtLeast,
    ConversationWithin,
    FraudReported,
    JurisdictionUnknown,
    KillSwitchOn,
    LocalHoursOutside,
    OfferExpired,
    OfferTermsUnsound,
    PermissionNotGranted,
    PermissionWithdrawn,
    RegistryListed,
    Suppressed,
)
from resources.duck import quote
from resources.errors import GateError


@dataclass(frozen=True)
class Violation:
    """The SQL of one predicate.

    `violated` over a judged row; `detail` a text for people; `needs` the fact tables without which
    it is missing; `counted` an aggregate over the person's contacts (alias `k`, candidate `c`),
    available to `violated` as `counted_<bit>`; `listed` an aggregate over registry rows of the
    address, available as `listed_<bit>`.
    """

    violated: str
    detail: str
    needs: tuple[str, ...] = ()
    counted: str | None = None
    listed: str | None = None


@dataclass(frozen=True)
class Clause:
    """A compiled clause: its bit in the mask and the SQL of scope and violation."""

    bit: int
    rule: Rule
    applies: str
    violation: Violation


def compile_clause(bit: int, rule: Rule) -> Clause:
    """Compile one rule clause; raises GateError for a predicate nobody taught the gate."""
    return Clause(bit, rule, _scope(rule), _violation(bit, rule))


def _scope(rule: Rule) -> str:
    """TRUE where the clause binds. An unknown city is taken to lie where the rule is stricter."""
    day = "coalesce(c.local_date, CAST(c.scheduled_at_utc AS DATE))"
    parts = [
        f"{day} >= DATE '{rule.effective_from.isoformat()}'",
        _one_of("c.candidate_kind", rule.kinds),
        _one_of("c.purpose", rule.purposes),
        _one_of("c.channel", rule.channels),
    ]
    if rule.effective_to is not None:
        parts.append(f"{day} < DATE '{rule.effective_to.isoformat()}'")
    if rule.countries:
        parts.append(_one_of("c.country", rule.countries))
    if rule.states:
        parts.append(_one_of("c.state", rule.states))
    if rule.localities:
        parts.append(f"(c.locality IS NULL OR {_one_of('c.locality', rule.localities)})")
    return f"coalesce({' AND '.join(parts)}, false)"


def _one_of(column: str, values: Sequence[str]) -> str:
    return f"{column} IN ({', '.join(quote(value) for value in values)})"


def _violation(bit: int, rule: Rule) -> Violation:
    predicate = rule.predicate
    match predicate:
        case KillSwitchOn():
            return Violation("c.is_kill_switch_on", "'the kill switch is on'", ("kill_switch",))
        case JurisdictionUnknown():
            return _jurisdiction(predicate)
        case AddressMissing():
            return Violation(
                "coalesce(c.address_token, '') = ''",
                "'no address for channel ' || c.channel",
            )
        case PermissionNotGranted():
            return Violation(
                "coalesce(c.permission_status, 'absent') <> 'granted'",
                "CASE WHEN c.permission_status IS NULL THEN 'no permission for ' || c.channel || "
                "' and ' || c.purpose ELSE 'permission is ' || c.permission_status END",
                ("permissions",),
            )
        case PermissionWithdrawn():
            return Violation(
                "coalesce(c.permission_status, 'absent') = 'withdrawn'",
                "'withdrawn at ' || CAST(c.permission_since_utc AS VARCHAR) || ' UTC'",
                ("permissions",),
            )
        case Suppressed():
            return Violation(
                "c.suppressed_since_utc IS NOT NULL",
                "'suppressed since ' || CAST(c.suppressed_since_utc AS VARCHAR) || ' UTC'",
                ("suppressions",),
            )
        case RegistryListed():
            return _registry(bit, predicate)
        case Blacklisted():
            return Violation("c.is_blacklisted", "'on the lender''s list'", ("blacklist",))
        case FraudReported():
            return Violation("c.has_fraud_report", "'fraud report open or confirmed'", ("fraud",))
        case LocalHoursOutside():
            return _hours(predicate)
        case ContactsAtLeast():
            return _contacts(bit, predicate)
        case ConversationWithin():
            return _conversation(bit, predicate)
        case AmountNotDue():
            return Violation("c.amount_due <= 0", "'nothing is due'")
        case OfferExpired():
            return Violation(
                "coalesce(c.offer_expires_at_utc <= c.scheduled_at_utc, true)",
                "coalesce('expires at ' || CAST(c.offer_expires_at_utc AS VARCHAR) || ' UTC', "
                "'has no expiry')",
            )
        case OfferTermsUnsound():
            return _terms(predicate)
    raise GateError(f"{rule.name}: the gate knows no predicate {predicate.kind!r}.")


def _jurisdiction(predicate: JurisdictionUnknown) -> Violation:
    known = " OR ".join(
        f"(c.country = {quote(country)} AND {_one_of('c.state', states)})"
        for country, states in sorted(predicate.states.items())
    )
    return Violation(
        f"NOT coalesce(({known}) AND c.local_date IS NOT NULL, false)",
        "'country ' || coalesce(c.country, 'unknown') || ', state ' || "
        "coalesce(c.state, 'unknown') || ', zone ' || coalesce(c.time_zone, 'unknown')",
    )


def _registry(bit: int, predicate: RegistryListed) -> Violation:
    listed = f"registry = {quote(predicate.registry)}"
    if predicate.categories:
        wanted = ", ".join(quote(category) for category in ["0", *predicate.categories])
        listed += (
            f" AND coalesce(list_has_any(string_split(replace(categories, ' ', ''), ';'), "
            f"[{wanted}]), true)"
        )
    return Violation(
        f"CASE WHEN c.address_token IS NOT NULL THEN coalesce(c.listed_{bit}, false) END",
        quote(f"listed in {predicate.registry}"),
        ("dnd",),
        listed=f"bool_or({listed})",
    )


def _hours(predicate: LocalHoursOutside) -> Violation:
    opens, closes = _sql_time(predicate.opens), _sql_time(predicate.closes)
    allowed = f"{predicate.opens:%H:%M} to {predicate.closes:%H:%M}"
    return Violation(
        f"CAST(c.local_at AS TIME) NOT BETWEEN {opens} AND {closes}",
        f"strftime(c.local_at, '%H:%M') || {quote(f' local time, allowed {allowed}')}",
    )


def _contacts(bit: int, predicate: ContactsAtLeast) -> Violation:
    terms = [
        "k.is_outbound",
        f"k.local_date > c.local_date - {predicate.window_days}",
        _one_of("k.channel", predicate.counted_channels),
        f"coalesce({_one_of('k.purpose', predicate.counted_purposes)}, true)",
    ]
    if predicate.grain == "debt":
        terms.append(_SAME_DEBT)
    if predicate.connected_only:
        terms.append("coalesce(k.is_connected, true)")
    of_what = "about the debt " if predicate.grain == "debt" else ""
    tail = f" contacts {of_what}in {predicate.window_days} day(s), limit {predicate.limit}"
    return Violation(
        f"CASE WHEN c.local_date IS NOT NULL THEN coalesce(c.counted_{bit}, 0) "
        f">= {predicate.limit} END",
        f"CAST(coalesce(c.counted_{bit}, 0) AS VARCHAR) || {quote(tail)}",
        ("contacts",),
        counted=f"count(*) FILTER (WHERE {' AND '.join(terms)})",
    )


def _conversation(bit: int, predicate: ConversationWithin) -> Violation:
    return Violation(
        f"CASE WHEN c.local_date IS NOT NULL THEN coalesce(c.counted_{bit} < {predicate.days}, "
        "false) END",
        f"'conversation ' || CAST(c.counted_{bit} AS VARCHAR) || ' day(s) ago, quiet for "
        f"{predicate.days}'",
        ("contacts",),
        # Days since the last conversation, 0 on its own day.
        counted=f"min(c.local_date - k.local_date) FILTER (WHERE k.is_conversation AND "
        f"{_SAME_DEBT})",
    )


#: A contact whose debt nobody recorded may have been about this one.
_SAME_DEBT = "(k.account_id IS NULL OR c.account_id IS NULL OR k.account_id = c.account_id)"


def _terms(predicate: OfferTermsUnsound) -> Violation:
    sound = " AND ".join(
        [
            "c.offer_amount > 0",
            "c.offer_tenor_months > 0",
            "c.offer_annual_rate > 0",
            f"c.offer_annual_rate <= {predicate.max_annual_rate!r}",
            "c.offer_emi > 0",
            "c.offer_emi * c.offer_tenor_months >= c.offer_amount",
        ]
    )
    return Violation(
        f"NOT ({sound})",
        "'amount ' || CAST(c.offer_amount AS VARCHAR) || ', rate ' || "
        "CAST(c.offer_annual_rate AS VARCHAR) || ', tenor ' || "
        "CAST(c.offer_tenor_months AS VARCHAR) || ', instalment ' || CAST(c.offer_emi AS VARCHAR)",
    )


def _sql_time(at: time) -> str:
    return f"TIME '{at.isoformat()}'"
