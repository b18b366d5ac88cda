"""The decisions of a day as a pure function: inputs and facts in, six tables out.

Candidates, the gate as a mask, allocation over what it allows, the gate again on the choice with
the day's own contacts counted in. What falls out in the second pass is recorded and not replaced:
a replacement would have been judged on less than the whole plan.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb
import pyarrow as pa

from paymentor_assets.compliance.facts import CONTACTS, GateFacts
from paymentor_assets.compliance.gate import evaluate, judge
from paymentor_assets.compliance.rules import Rulebook
from paymentor_assets.ids import deterministic_id_sql
from paymentor_assets.lenders import Lender
from paymentor_assets.offers.candidates import OfferInputs, offer_candidates
from paymentor_assets.offers.policy import OfferPolicy
from paymentor_assets.strategies.allocation import Certificate, allocate
from paymentor_assets.strategies.candidates import OFFER_MODEL, CandidateInputs, build_candidates
from paymentor_assets.strategies.tables import (
    ACTIONS,
    COMPLIANCE_DECISIONS,
    GATE_COUNTS,
    OFFER_CANDIDATES,
    OFFERS,
    STRATEGIES,
)
from paymentor_assets.strategies.treatments import Strategy
from resources.clock import naive_utc
from resources.duck import connect, quote
from resources.lakehouse import TableContract


@dataclass(frozen=True)
class DayInputs:
    """Tables of one lender and day, and the publications they were read from."""

    profile: pa.Table
    accounts: pa.Table
    rankings: pa.Table
    preferences: pa.Table
    campaigns: pa.Table
    publications: Sequence[str]


@dataclass(frozen=True)
class Decided:
    """The six tables, the certificates of the allocation, and how many candidates there were."""

    tables: Mapping[TableContract, pa.Table]
    certificates: Sequence[Certificate]
    candidates: int
    publications: Sequence[str]


def decide(
    inputs: DayInputs,
    facts: GateFacts,
    *,
    lender: Lender,
    day: date,
    rulebook: Rulebook,
    strategy: Strategy,
    policy: OfferPolicy,
) -> Decided:
    """Decide one day of one lender; the same inputs give the same tables, in any row order."""
    publications = sorted({*inputs.publications, *facts.publications})
    offers = offer_candidates(
        OfferInputs(inputs.profile, inputs.accounts, inputs.campaigns),
        policy,
        lender_id=lender.lender_id,
        day=day,
        known_until=naive_utc(lender.cutoff_utc(day)),
    )
    candidates = build_candidates(
        CandidateInputs(
            inputs.profile,
            inputs.accounts,
            inputs.rankings,
            inputs.preferences,
            offers,
            policy.version,
        ),
        lender=lender,
        day=day,
        strategy=strategy,
        rulebook=rulebook,
    )
    mask = judge(candidates, facts, rulebook)
    capacity = {str(channel): terms.daily_capacity for channel, terms in lender.channels.items()}
    with connect() as con:
        con.register("candidates", candidates)
        con.register("mask", mask)
        con.register("offers", offers)
        allowed = con.execute(
            "SELECT c.* FROM candidates c JOIN mask m USING (candidate_id) "
            "WHERE m.verdict = 'allow' ORDER BY c.candidate_id"
        ).to_arrow_table()
        allocation = allocate(allowed, capacity, strategy.offer_capacity_share)
        con.register("chosen_ids", pa.table({"candidate_id": allocation.chosen}, _IDS))
        con.execute(
            "CREATE TABLE chosen AS SELECT c.* FROM candidates c JOIN chosen_ids USING "
            "(candidate_id) ORDER BY candidate_id"
        )
        second = evaluate(
            con.execute("FROM chosen").to_arrow_table(),
            facts.with_contacts(_as_contacts(con)),
            rulebook,
        )
        first = evaluate(_best_forbidden(con), facts, rulebook)
        con.register("second_verdicts", second)
        con.register("first_verdicts", first)
        tables = _tables(con, lender, day, rulebook, strategy, policy, publications)
    return Decided(tables, allocation.certificates, candidates.num_rows, publications)


_IDS = pa.schema([("candidate_id", pa.string())])


def _as_contacts(con: duckdb.DuckDBPyConnection) -> pa.Table:
    return (
        con.execute(
            "SELECT customer_id, account_id, channel, purpose, scheduled_at_utc AS "
            "contacted_at_utc, true AS is_outbound, true AS is_connected, "
            "false AS is_conversation, candidate_id FROM chosen ORDER BY candidate_id"
        )
        .to_arrow_table()
        .cast(CONTACTS)
    )


def _best_forbidden(con: duckdb.DuckDBPyConnection) -> pa.Table:
    """Of each account (or offer) the forbidden candidate that would have been worth most."""
    return con.execute(
        """
        SELECT c.* FROM candidates c JOIN mask m USING (candidate_id) WHERE m.verdict <> 'allow'
        QUALIFY row_number() OVER (PARTITION BY coalesce(c.account_id, c.offer_id)
          ORDER BY c.expected_value - c.cost DESC, c.scheduled_at_utc, c.candidate_id) = 1
        ORDER BY candidate_id
        """
    ).to_arrow_table()


def _tables(
    con: duckdb.DuckDBPyConnection,
    lender: Lender,
    day: date,
    rulebook: Rulebook,
    strategy: Strategy,
    policy: OfferPolicy,
    publications: Sequence[str],
) -> dict[TableContract, pa.Table]:
    strategy_version = strategy.version(policy)
    constants = {
        "lender_id": quote(lender.lender_id),
        "as_of_date": f"DATE {quote(day.isoformat())}",
        "strategy_version": quote(strategy_version),
        "rulebook_version": quote(rulebook.version),
        "input_publications": quote(json.dumps(list(publications))),
        "experiment_id": quote("none"),
        "arm": quote("default"),
        "arm_probability": "1.0",
    }
    con.execute(
        f"""
        CREATE TABLE verdicts AS
        SELECT 'chosen' AS pass, * FROM second_verdicts
        UNION ALL SELECT 'mask', * FROM first_verdicts;
        CREATE TABLE decided AS
        SELECT {_decision_id(lender, day)} AS compliance_decision_id, v.pass,
          v.* EXCLUDE (pass, candidate_id), c.*
        FROM verdicts v JOIN candidates c USING (candidate_id);
        CREATE TABLE planned AS
        SELECT {deterministic_id_sql(quote("action"), "candidate_id")} AS action_id, *
        FROM chosen;
        CREATE TABLE allowed_actions AS
        SELECT p.*, d.compliance_decision_id, {_PAYLOAD} AS payload
        FROM planned p JOIN decided d USING (candidate_id) WHERE d.verdict = 'allow';
        """
    )
    sources = {
        OFFER_CANDIDATES: f"SELECT *, {quote(OFFER_MODEL)} AS model_name, "
        f"{quote(policy.version)} AS model_version FROM offers",
        GATE_COUNTS: _counts_sql(con, rulebook),
        COMPLIANCE_DECISIONS: "SELECT * FROM decided",
        STRATEGIES: "SELECT * FROM planned",
        ACTIONS: "SELECT * FROM allowed_actions",
        OFFERS: "SELECT a.*, o.* EXCLUDE (offer_id, customer_id, product, currency) "
        "FROM allowed_actions a JOIN offers o USING (offer_id)",
    }
    return {
        contract: con.execute(_projection(contract, source, constants))
        .to_arrow_table()
        .cast(contract.schema)
        for contract, source in sources.items()
    }


def _projection(contract: TableContract, source: str, constants: Mapping[str, str]) -> str:
    columns = ", ".join(
        f'{constants[name]} AS "{name}"' if name in constants else f'"{name}"'
        for name in contract.column_names
    )
    order = ", ".join(f'"{name}"' for name in contract.key)
    return f"SELECT {columns} FROM ({source}) ORDER BY {order}"


def _decision_id(lender: Lender, day: date) -> str:
    return deterministic_id_sql(
        quote("compliance"),
        quote(lender.lender_id),
        quote(day.isoformat()),
        "v.pass",
        "v.candidate_id",
    )


def _counts_sql(con: duckdb.DuckDBPyConnection, rulebook: Rulebook) -> str:
    clauses = [{"bit": bit, "rule_id": rule.id} for bit, rule in enumerate(rulebook.rules)]
    con.register("clauses", pa.Table.from_pylist(clauses))
    return """
        WITH judged AS (
          SELECT 'mask' AS pass, candidate_id, verdict, rule_mask FROM mask
          UNION ALL SELECT 'chosen', candidate_id, verdict, rule_mask FROM second_verdicts
        )
        SELECT pass, 'ALL' AS rule_id, verdict, count(*) AS candidates
        FROM judged GROUP BY ALL
        UNION ALL
        SELECT j.pass, c.rule_id, j.verdict, count(DISTINCT j.candidate_id)
        FROM judged j JOIN clauses c ON (j.rule_mask >> c.bit) & 1 = 1 GROUP BY ALL
    """


#: Template variables of every treatment, and what the gate at dispatch must be told again. Amounts
#: and codes only: the queue holds no personal data.
_PAYLOAD = """CAST(CASE p.candidate_kind WHEN 'contact' THEN json_object(
      'overdue_amount', CAST(p.amount_due AS VARCHAR),
      'days_past_due', p.days_past_due,
      'instalments', p.instalments,
      'instalment_amount', CAST(CAST(ceil(p.amount_due * 100 / coalesce(p.instalments, 1)) / 100
        AS DECIMAL(18,2)) AS VARCHAR),
      'locality', p.locality,
      'amount_due', CAST(p.amount_due AS VARCHAR))
    ELSE json_object(
      'offered_amount', CAST(p.offer_amount AS VARCHAR),
      'annual_rate_percent', printf('%.2f', p.offer_annual_rate * 100),
      'tenor_months', p.offer_tenor_months,
      'emi', CAST(p.offer_emi AS VARCHAR),
      'expires_on', strftime(p.offer_expires_at_utc, '%Y-%m-%d'),
      'locality', p.locality,
      'offer_id', p.offer_id,
      'offer_amount', CAST(p.offer_amount AS VARCHAR),
      'offer_annual_rate', p.offer_annual_rate,
      'offer_tenor_months', p.offer_tenor_months,
      'offer_emi', CAST(p.offer_emi AS VARCHAR),
      'offer_expires_at_utc', strftime(p.offer_expires_at_utc, '%Y-%m-%dT%H:%M:%S')) END
    AS VARCHAR)"""
