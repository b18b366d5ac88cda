"""One judgement in DuckDB: facts joined to candidates once, every clause a bit.

What belongs here: the SQL of the pass. Which facts exist is `facts`, what a rule means is
`predicates`, when waiting ends is `deferral`.
"""

from __future__ import annotations

from datetime import timedelta
from types import TracebackType
from typing import Self

import duckdb
import pyarrow as pa

from paymentor_assets.compliance import fact_tables
from paymentor_assets.compliance.candidate import judged_columns
from paymentor_assets.compliance.fact_tables import GateFacts
from paymentor_assets.compliance.local_time import zone_offsets
from paymentor_assets.compliance.predicates import Clause, compile_clause
from paymentor_assets.compliance.rules import Rulebook
from paymentor_assets.compliance.violations import (
    ContactsAtLeast,
    ConversationWithin,
)
from resources.duck import connect, quote

_SHAPES = {
    "permissions": fact_tables.PERMISSIONS,
    "dnd": fact_tables.DND,
    "blacklist": fact_tables.CUSTOMERS,
    "fraud": fact_tables.CUSTOMERS,
    "suppressions": fact_tables.SUPPRESSIONS,
    "contacts": fact_tables.CONTACTS,
}


class Judgement:
    """Candidates and facts loaded for one pass (and the probes that may follow it)."""

    def __init__(self, candidates: pa.Table, facts: GateFacts, rulebook: Rulebook) -> None:
        self._facts = facts
        self.clauses = [compile_clause(bit, rule) for bit, rule in enumerate(rulebook.rules)]
        self.window_days = max([1, *(_window(clause) for clause in self.clauses)])
        #: Beyond this many days after a candidate no window can still be closed by its facts.
        self.horizon_days = self.window_days + 2
        self._broken: dict[int, str] = {}
        self.con: duckdb.DuckDBPyConnection = connect()
        self._load(judged_columns(candidates))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.con.close()

    def masks(self) -> pa.Table:
        """candidate_id, verdict, rule_mask, missing_mask, ordered by candidate_id."""
        return self.con.execute(
            "SELECT candidate_id, verdict, rule_mask, missing_mask FROM judged "
            "ORDER BY candidate_id"
        ).to_arrow_table()

    def explained(self) -> pa.Table:
        """The masks with `violated_rules` and `facts_read` in words (JSON)."""
        words = ",\n".join(self._in_words(clause) for clause in self.clauses)
        return self.con.execute(
            f"""
            SELECT c.candidate_id, c.verdict, c.rule_mask, c.missing_mask,
              CAST(to_json(list_filter([{words}], lambda x: x IS NOT NULL)) AS VARCHAR)
                AS violated_rules,
              CAST({self._facts_json()} AS VARCHAR) AS facts_read
            FROM judged c ORDER BY c.candidate_id
            """
        ).to_arrow_table()

    def judge_into(self, source: str, target: str) -> None:
        """Judge the candidates of table `source` (columns of JUDGED) into table `target`."""
        self._join(source)
        try:
            self._mask(target)
        except duckdb.Error:
            # One broken rule must not hide the verdicts of the others: find it, and let it block.
            self._broken.update(self._find_broken())
            self._mask(target)

    def _load(self, candidates: pa.Table) -> None:
        self.con.register("candidates_in", candidates)
        self.con.execute("CREATE TABLE candidates AS SELECT * FROM candidates_in")
        for name, schema in _SHAPES.items():
            table = getattr(self._facts, name)
            self.con.register(f"{name}_in", schema.empty_table() if table is None else table)
        self._load_offsets()
        self._load_facts()
        self.judge_into("candidates", "judged")

    def _load_offsets(self) -> None:
        first, last = self.con.execute(
            "SELECT min(scheduled_at_utc), max(scheduled_at_utc) FROM candidates"
        ).fetchone() or (None, None)
        # Without candidates nothing is judged, and any span of offsets will do.
        first = first or self._facts.as_of_utc
        last = last or first
        self._earliest = first - timedelta(days=self.window_days + 2)
        zones = [
            row[0]
            for row in self.con.execute("SELECT DISTINCT time_zone FROM candidates").fetchall()
        ]
        start = self._earliest.replace(minute=0, second=0, microsecond=0)
        end = last + timedelta(days=self.horizon_days + 2)
        self.con.register("offsets_in", zone_offsets(zones, start, end))
        self.con.execute("CREATE TABLE offsets AS SELECT * FROM offsets_in")

    def _load_facts(self) -> None:
        self.con.execute(
            # Two statements of one instant: the withdrawal counts.
            """
            CREATE TABLE permissions AS
            SELECT customer_id, channel, purpose, effective_at_utc,
              CASE WHEN bool_or(status <> 'granted') THEN 'withdrawn' ELSE 'granted' END AS status
            FROM permissions_in
            WHERE customer_id IN (SELECT customer_id FROM candidates)
            GROUP BY ALL
            """
        )
        self.con.execute(
            f"""
            CREATE TABLE contacts AS
            SELECT z.time_zone, k.*,
              CAST(k.contacted_at_utc + to_seconds(o.offset_seconds) AS DATE) AS local_date
            FROM contacts_in k
            JOIN (SELECT DISTINCT customer_id, time_zone FROM candidates) z USING (customer_id)
            ASOF JOIN offsets o
              ON z.time_zone = o.time_zone AND k.contacted_at_utc >= o.from_utc
            WHERE k.contacted_at_utc >= TIMESTAMP '{self._earliest.isoformat(sep=" ")}'
            """
        )
        listed = [c for c in self.clauses if c.violation.listed is not None]
        columns = "".join(f", {c.violation.listed} AS listed_{c.bit}" for c in listed)
        self.con.execute(
            f"CREATE TABLE registries AS SELECT phone_token{columns} FROM dnd_in "
            "WHERE phone_token IN (SELECT address_token FROM candidates) GROUP BY phone_token"
        )

    def _join(self, source: str) -> None:
        counted = [c for c in self.clauses if c.violation.counted is not None]
        counts = "".join(f", {c.violation.counted} AS counted_{c.bit}" for c in counted)
        listed = "".join(
            f", r.listed_{c.bit}" for c in self.clauses if c.violation.listed is not None
        )
        carried = "".join(f", f.counted_{c.bit}" for c in counted)
        switch = {None: "CAST(NULL AS BOOLEAN)", True: "true", False: "false"}
        self.con.execute(
            f"""
            CREATE OR REPLACE TABLE located AS
            SELECT row_number() OVER () AS row_id, s.*,
              s.scheduled_at_utc + to_seconds(o.offset_seconds) AS local_at,
              CAST(s.scheduled_at_utc + to_seconds(o.offset_seconds) AS DATE) AS local_date
            FROM {source} s ASOF LEFT JOIN offsets o
              ON s.time_zone = o.time_zone AND s.scheduled_at_utc >= o.from_utc
            """
        )
        self.con.execute(
            f"""
            CREATE OR REPLACE TABLE counts AS
            SELECT c.row_id{counts}
            FROM located c JOIN contacts k
              ON k.customer_id = c.customer_id AND k.time_zone = c.time_zone
            WHERE k.contacted_at_utc <= c.scheduled_at_utc
              AND k.local_date > c.local_date - {self.window_days}
              AND k.candidate_id IS DISTINCT FROM c.candidate_id
              -- Of two of ours at one instant, the one with the smaller id came first.
              AND NOT (k.contacted_at_utc = c.scheduled_at_utc
                       AND coalesce(k.candidate_id > c.candidate_id, false))
            GROUP BY c.row_id
            """
        )
        self.con.execute(
            """
            CREATE OR REPLACE TABLE stopped AS
            SELECT c.row_id, min(s.effective_at_utc) AS suppressed_since_utc
            FROM located c JOIN suppressions_in s ON s.customer_id = c.customer_id
              AND s.channel IN ('*', c.channel) AND s.purpose IN ('*', c.purpose)
              AND s.effective_at_utc <= c.scheduled_at_utc
            GROUP BY c.row_id
            """
        )
        self.con.execute(
            f"""
            CREATE OR REPLACE TABLE joined AS
            SELECT c.*, p.status AS permission_status, p.effective_at_utc AS permission_since_utc,
              t.suppressed_since_utc{listed}{carried},
              c.customer_id IN (SELECT customer_id FROM blacklist_in) AS is_blacklisted,
              c.customer_id IN (SELECT customer_id FROM fraud_in) AS has_fraud_report,
              {switch[self._facts.kill_switch]} AS is_kill_switch_on
            FROM located c
            ASOF LEFT JOIN permissions p ON p.customer_id = c.customer_id
              AND p.channel = c.channel AND p.purpose = c.purpose
              AND p.effective_at_utc <= c.scheduled_at_utc
            LEFT JOIN stopped t USING (row_id)
            LEFT JOIN counts f USING (row_id)
            LEFT JOIN registries r ON r.phone_token = c.address_token
            """
        )

    def _mask(self, target: str) -> None:
        outcomes = ", ".join(
            f"CASE WHEN {self._binds(c)} THEN {self._violated(c)} ELSE false END AS v{c.bit}"
            for c in self.clauses
        )
        mask = " | ".join(
            f"(CAST(coalesce(v{c.bit}, true) AS BIGINT) << {c.bit})" for c in self.clauses
        )
        missing = " | ".join(f"(CAST(v{c.bit} IS NULL AS BIGINT) << {c.bit})" for c in self.clauses)
        curable = sum(1 << c.bit for c in self.clauses if c.rule.waiting_cures)
        hidden = ", ".join(f"v{c.bit}" for c in self.clauses)
        self.con.execute(
            f"""
            CREATE OR REPLACE TABLE {target} AS
            SELECT *, CASE WHEN rule_mask = 0 THEN 'allow'
                WHEN (rule_mask & ~CAST({curable} AS BIGINT)) = 0 AND missing_mask = 0 THEN 'defer'
                ELSE 'block' END AS verdict
            FROM (
              SELECT * EXCLUDE ({hidden}), {mask} AS rule_mask, {missing} AS missing_mask
              FROM (SELECT c.*, {outcomes} FROM joined c)
            )
            """
        )

    def _binds(self, clause: Clause) -> str:
        if self._facts.lender_role not in clause.rule.lender_roles:
            return "false"
        return clause.applies

    def _violated(self, clause: Clause) -> str:
        if self._absent(clause) or clause.bit in self._broken:
            return "CAST(NULL AS BOOLEAN)"
        return f"TRY({clause.violation.violated})"

    def _absent(self, clause: Clause) -> list[str]:
        return [need for need in clause.violation.needs if getattr(self._facts, need) is None]

    def _find_broken(self) -> dict[int, str]:
        broken: dict[int, str] = {}
        for clause in self.clauses:
            tested = f"CASE WHEN {self._binds(clause)} THEN {self._violated(clause)} END"
            try:
                self.con.execute(f"SELECT count({tested}) FROM joined c").fetchall()
            except duckdb.Error as error:
                broken[clause.bit] = str(error).splitlines()[0]
        return broken

    def _in_words(self, clause: Clause) -> str:
        rule, bit = clause.rule, clause.bit
        absent = self._absent(clause)
        if absent:
            detail = quote(f"fact not available: {', '.join(absent)}")
        elif bit in self._broken:
            detail = quote(f"the rule could not be evaluated: {self._broken[bit]}")
        else:
            detail = (
                f"CASE WHEN (c.missing_mask >> {bit}) & 1 = 1 "
                "THEN 'a fact this rule needs is missing' "
                f"ELSE coalesce(TRY({clause.violation.detail}), {quote(rule.title)}) END"
            )
        return (
            f"CASE WHEN (c.rule_mask >> {bit}) & 1 = 1 THEN {{'id': {quote(rule.id)}, "
            f"'clause': {quote(rule.clause)}, 'version': {rule.version}, 'detail': {detail}}} END"
        )

    def _facts_json(self) -> str:
        counted = ", ".join(
            f"{quote(c.rule.name)}: c.counted_{c.bit}"
            for c in self.clauses
            if c.violation.counted is not None and c.rule.is_in_force(self._facts.as_of_utc.date())
        )
        as_of = quote(f"{self._facts.as_of_utc.isoformat()}Z")
        return f"""json_object(
            'as_of_utc', {as_of},
            'local_time', strftime(c.local_at, '%Y-%m-%dT%H:%M:%S'),
            'kill_switch', c.is_kill_switch_on,
            'permission', c.permission_status,
            'permission_since_utc', c.permission_since_utc,
            'suppressed_since_utc', c.suppressed_since_utc,
            'blacklisted', c.is_blacklisted,
            'fraud_report', c.has_fraud_report,
            'contacts', {{{counted}}})""".replace("{}", "NULL")


def _window(clause: Clause) -> int:
    predicate = clause.rule.predicate
    if isinstance(predicate, ContactsAtLeast):
        return predicate.window_days
    if isinstance(predicate, ConversationWithin):
        return predicate.days
    return 0
