"""A second gate, written row by row and slowly, to hold the set-based one to.

It shares only the rule data with it: local time comes from `zoneinfo`, windows from a loop over
contacts, deferral from trying the quarter hours that follow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from paymentor_assets.compliance import violations as r
from paymentor_assets.compliance.facts import GateFacts
from paymentor_assets.compliance.rules import Rule, Rulebook

Row = dict[str, Any]
STEP = timedelta(minutes=15)


@dataclass
class Oracle:
    """Judges one candidate at a time."""

    facts: GateFacts
    rulebook: Rulebook

    def __post_init__(self) -> None:
        self._tables = {
            name: None if table is None else table.to_pylist()
            for name in ("permissions", "dnd", "blacklist", "fraud", "suppressions", "contacts")
            for table in [getattr(self.facts, name)]
        }

    def judge(self, row: Row) -> tuple[str, set[str], bool]:
        """Verdict, names of violated clauses, whether anything was missing."""
        violated: set[str] = set()
        missing = False
        curable = True
        for rule in self.rulebook.rules:
            if not self._binds(rule, row):
                continue
            outcome = self._violates(rule.predicate, row)
            if outcome is None:
                missing = True
            if outcome is not False:
                violated.add(f"{rule.name}@{rule.version}")
                curable = curable and rule.waiting_cures
        if not violated:
            return "allow", violated, missing
        return ("defer" if curable and not missing else "block"), violated, missing

    def evaluate(self, row: Row, horizon: timedelta) -> tuple[str, datetime | None]:
        """Verdict and, for a deferred candidate, the first allowed quarter hour."""
        verdict, _, _ = self.judge(row)
        if verdict != "defer":
            return verdict, None
        for at in self._quarters(row["scheduled_at_utc"], horizon):
            if self.judge(row | {"scheduled_at_utc": at})[0] == "allow":
                return "defer", at
        return "block", None

    def _quarters(self, after: datetime, horizon: timedelta) -> Iterator[datetime]:
        at = after.replace(minute=after.minute // 15 * 15, second=0, microsecond=0) + STEP
        while at <= after + horizon:
            yield at
            at += STEP

    def _binds(self, rule: Rule, row: Row) -> bool:
        local = self._local(row)
        day = row["scheduled_at_utc"].date() if local is None else local.date()
        return (
            rule.is_in_force(day)
            and self.facts.lender_role in rule.lender_roles
            and row["candidate_kind"] in rule.kinds
            and row["purpose"] in rule.purposes
            and row["channel"] in rule.channels
            and (not rule.countries or row["country"] in rule.countries)
            and (not rule.states or row["state"] in rule.states)
            and (
                not rule.localities or row["locality"] is None or row["locality"] in rule.localities
            )
        )

    def _local(self, row: Row, at: datetime | None = None) -> datetime | None:
        instant = (at or row["scheduled_at_utc"]).replace(tzinfo=UTC)
        try:
            return instant.astimezone(ZoneInfo(row["time_zone"]))
        except (ZoneInfoNotFoundError, TypeError):
            return None

    def _violates(self, predicate: Any, row: Row) -> bool | None:
        match predicate:
            case r.KillSwitchOn():
                return self.facts.kill_switch
            case r.JurisdictionUnknown(states=states):
                known = row["state"] in states.get(row["country"], [])
                return not known or self._local(row) is None
            case r.AddressMissing():
                return not row["address_token"]
            case r.PermissionNotGranted() | r.PermissionWithdrawn():
                return self._permission(predicate, row)
            case r.Suppressed():
                return self._suppressed(row)
            case r.RegistryListed():
                return self._listed(predicate, row)
            case r.Blacklisted() | r.FraudReported():
                name = "blacklist" if isinstance(predicate, r.Blacklisted) else "fraud"
                people = self._tables[name]
                if people is None:
                    return None
                return any(p["customer_id"] == row["customer_id"] for p in people)
            case r.LocalHoursOutside(opens=opens, closes=closes):
                local = self._local(row)
                return None if local is None else not opens <= local.time() <= closes
            case r.ContactsAtLeast():
                return self._too_many(predicate, row)
            case r.ConversationWithin():
                return self._talked(predicate, row)
            case r.AmountNotDue():
                return None if row["amount_due"] is None else row["amount_due"] <= 0
            case r.OfferExpired():
                expires = row["offer_expires_at_utc"]
                return expires is None or expires <= row["scheduled_at_utc"]
            case r.OfferTermsUnsound():
                return self._unsound(predicate, row)
        raise AssertionError(predicate)

    def _permission(self, predicate: Any, row: Row) -> bool | None:
        statements = self._tables["permissions"]
        if statements is None:
            return None
        mine = [
            s
            for s in statements
            if all(s[k] == row[k] for k in ("customer_id", "channel", "purpose"))
            and s["effective_at_utc"] <= row["scheduled_at_utc"]
        ]
        if not mine:
            return isinstance(predicate, r.PermissionNotGranted)
        newest = max(s["effective_at_utc"] for s in mine)
        status = {s["status"] for s in mine if s["effective_at_utc"] == newest}
        return status != {"granted"}

    def _suppressed(self, row: Row) -> bool | None:
        stops = self._tables["suppressions"]
        if stops is None:
            return None
        return any(
            s["customer_id"] == row["customer_id"]
            and s["channel"] in ("*", row["channel"])
            and s["purpose"] in ("*", row["purpose"])
            and s["effective_at_utc"] <= row["scheduled_at_utc"]
            for s in stops
        )

    def _listed(self, predicate: r.RegistryListed, row: Row) -> bool | None:
        entries = self._tables["dnd"]
        if entries is None or row["address_token"] is None:
            return None
        return any(
            e["phone_token"] == row["address_token"]
            and e["registry"] == predicate.registry
            and (
                not predicate.categories
                or bool({"0", *predicate.categories} & set(e["categories"].split(";")))
            )
            for e in entries
        )

    def _earlier(self, row: Row) -> list[tuple[Row, date]] | None:
        contacts = self._tables["contacts"]
        if contacts is None or self._local(row) is None:
            return None
        found = []
        for k in contacts:
            at, own = k["contacted_at_utc"], k["candidate_id"]
            if k["customer_id"] != row["customer_id"] or own == row["candidate_id"]:
                continue
            if at > row["scheduled_at_utc"]:
                continue
            if at == row["scheduled_at_utc"] and own is not None and own > row["candidate_id"]:
                continue
            local = self._local(row, at)
            assert local is not None
            found.append((k, local.date()))
        return found

    @staticmethod
    def _same_debt(k: Row, row: Row) -> bool:
        return None in (k["account_id"], row["account_id"]) or k["account_id"] == row["account_id"]

    def _too_many(self, predicate: r.ContactsAtLeast, row: Row) -> bool | None:
        earlier = self._earlier(row)
        if earlier is None:
            return None
        today = self._local(row)
        assert today is not None
        first = today.date() - timedelta(days=predicate.window_days - 1)
        counted = [
            k
            for k, day in earlier
            if k["is_outbound"]
            and first <= day
            and k["channel"] in predicate.counted_channels
            and (k["purpose"] is None or k["purpose"] in predicate.counted_purposes)
            and (predicate.grain == "person" or self._same_debt(k, row))
            and (not predicate.connected_only or k["is_connected"] is not False)
        ]
        return len(counted) >= predicate.limit

    def _talked(self, predicate: r.ConversationWithin, row: Row) -> bool | None:
        earlier = self._earlier(row)
        if earlier is None:
            return None
        today = self._local(row)
        assert today is not None
        return any(
            k["is_conversation"]
            and self._same_debt(k, row)
            and (today.date() - day).days < predicate.days
            for k, day in earlier
        )

    @staticmethod
    def _unsound(predicate: r.OfferTermsUnsound, row: Row) -> bool | None:
        terms = [row[f"offer_{n}"] for n in ("amount", "annual_rate", "tenor_months", "emi")]
        amount, rate, tenor, emi = terms
        checks = [
            None if amount is None else amount > 0,
            None if tenor is None else tenor > 0,
            None if rate is None else 0 < rate <= predicate.max_annual_rate,
            None if emi is None else emi > 0,
            None if None in (amount, tenor, emi) else emi * tenor >= amount,
        ]
        if False in checks:
            return True
        return None if None in checks else False
