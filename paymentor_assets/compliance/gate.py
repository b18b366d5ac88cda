"""The gate: candidates in, one verdict each out, in one set-based pass.

`judge` answers allow, block or defer (waiting could cure everything) with a bitmask of violated
clauses. `evaluate` adds what people and dispatch need: the rules in words, the facts that were
read, and `defer_until_utc`, the first instant at which the unchanged facts would be allowed, found
by asking this same gate about the instants where a window can open (`deferral`). When no such
instant comes within the horizon, waiting cures nothing and the verdict is block.
"""

from __future__ import annotations

import pyarrow as pa

from paymentor_assets.compliance.deferral import first_allowed
from paymentor_assets.compliance.fact_tables import GateFacts
from paymentor_assets.compliance.judgement import Judgement
from paymentor_assets.compliance.rules import Rulebook
from resources.lakehouse import TIMESTAMP

VERDICTS = pa.schema(
    [
        ("candidate_id", pa.string()),
        ("verdict", pa.string()),
        ("violated_rules", pa.string()),
        ("defer_until_utc", TIMESTAMP),
        ("rule_mask", pa.int64()),
        ("missing_mask", pa.int64()),
        ("facts_read", pa.string()),
    ]
)


def judge(candidates: pa.Table, facts: GateFacts, rulebook: Rulebook) -> pa.Table:
    """Verdict and masks of every candidate: candidate_id, verdict, rule_mask, missing_mask.

    Bit i of a mask is clause i of `rulebook.rules`. A bit of `missing_mask` says that the clause
    could not be evaluated: a fact was not available, or the rule itself failed. Ordered by id.

    Raises GateError when the candidates are not what the gate can judge.
    """
    with Judgement(candidates, facts, rulebook) as judgement:
        return judgement.masks()


def evaluate(candidates: pa.Table, facts: GateFacts, rulebook: Rulebook) -> pa.Table:
    """Full verdicts (schema VERDICTS), ordered by candidate id.

    `violated_rules` is a JSON list of {id, clause, version, detail}; `facts_read` a JSON object of
    the facts this candidate was judged on. Raises GateError like `judge`.
    """
    with Judgement(candidates, facts, rulebook) as judgement:
        explained = judgement.explained()
        until = first_allowed(judgement, rulebook)
    return _with_deferral(explained, until)


def _with_deferral(explained: pa.Table, until: dict[str, object]) -> pa.Table:
    ids = explained.column("candidate_id").to_pylist()
    verdicts = explained.column("verdict").to_pylist()
    instants = [until.get(candidate_id) for candidate_id in ids]
    final = [
        "block" if verdict == "defer" and instant is None else verdict
        for verdict, instant in zip(verdicts, instants, strict=True)
    ]
    columns = {name: explained.column(name) for name in explained.column_names}
    columns["verdict"] = pa.array(final, pa.string())
    columns["defer_until_utc"] = pa.array(instants, TIMESTAMP)
    return pa.table({name: columns[name] for name in VERDICTS.names}).cast(VERDICTS)
