"""Table contracts of a planned day. Every row carries what it was decided from."""

from __future__ import annotations

import pyarrow as pa

from resources.lakehouse import MONEY, TIMESTAMP, UNIT_COST, TableContract, column

_TEXT = pa.string()

_DAY = (
    column("lender_id", _TEXT, "Lender.", nullable=False),
    column("as_of_date", pa.date32(), "Day whose knowledge decided.", nullable=False),
)
_RULED = (
    column("strategy_version", _TEXT, "Hash of treatments, offer policy and method."),
    column("rulebook_version", _TEXT, "Hash of the rules."),
    column("input_publications", _TEXT, "JSON list of the publication ids that were read."),
)
_OFFER_TYPE = (
    column("offer_type", _TEXT, "marketing, or application: answers the customer's own."),
    column(
        "aa_data",
        _TEXT,
        "Account-aggregator data: used; no_statement (consent, nothing fetched yet); not_covered "
        "(no consent for the purpose: rests on declared income); no_purpose (marketing).",
    ),
)
_VERSIONS = (
    column("model_name", _TEXT, "Ranking model family, or offer_policy: the expected value's."),
    column("model_version", _TEXT, "Its approved version, or the hash of the offer policy."),
    *_RULED,
)
_WHO = (
    column("candidate_kind", _TEXT, "contact or offer."),
    column("account_id", _TEXT, "Account; null for an offer."),
    column("customer_id", _TEXT, "Customer."),
    column("purpose", _TEXT, "collections or marketing."),
    column("channel", _TEXT, "email, sms, whatsapp or voice."),
    column("scheduled_at_utc", TIMESTAMP, "Instant of sending, on the day after as_of_date."),
)
_HOW = (
    column("time_zone", _TEXT, "IANA zone of the person."),
    column("slot", _TEXT, "The same instant as the person's wall clock shows it, HH:MM."),
    column("treatment", _TEXT, "What is said."),
    column("template_id", _TEXT, "Words of it: treatment.channel."),
    column("language", _TEXT, "Language of the person."),
    column("product", _TEXT, "Product of the account or offer."),
    column("currency", _TEXT, "ISO 4217, of all amounts in the row."),
    column("expected_value", MONEY, "Expected incremental recovery or margin, before cost."),
    column("cost", UNIT_COST, "Cost of the contact."),
)
_EXPERIMENT = (
    column("experiment_id", _TEXT, "Experiment the choice belongs to; none when in none."),
    column("arm", _TEXT, "Arm of the experiment; default outside one."),
    column("arm_probability", pa.float64(), "Probability with which the arm was assigned."),
)

STRATEGIES = TableContract(
    name="decisions.strategies",
    description="The contact chosen for each account or offer, before the gate judged the choice.",
    key=("lender_id", "as_of_date", "action_id"),
    partition_by=("lender_id", "as_of_date"),
    schema=pa.schema(
        [
            *_DAY,
            column("action_id", _TEXT, "Deterministic id of the action.", nullable=False),
            column("candidate_id", _TEXT, "Candidate that was chosen."),
            *_WHO,
            *_HOW,
            *_EXPERIMENT,
            column("offer_id", _TEXT, "Offer that is made; null for a collections contact."),
            *_VERSIONS,
        ]
    ),
)

ACTIONS = TableContract(
    name="decisions.actions",
    description="Contacts and offers of the day that the gate allowed; what the queue carries.",
    key=("lender_id", "as_of_date", "action_id"),
    partition_by=("lender_id", "as_of_date"),
    schema=pa.schema(
        [
            *_DAY,
            column("action_id", _TEXT, "Deterministic id of the action.", nullable=False),
            column("compliance_decision_id", _TEXT, "The decision that allowed it."),
            column("candidate_id", _TEXT, "Candidate it carries out."),
            *_WHO,
            *_HOW,
            column("country", _TEXT, "ISO 3166-1."),
            column("state", _TEXT, "State."),
            column("address_token", _TEXT, "Token of the address; the vault knows the address."),
            column("payload", _TEXT, "JSON: template variables and the facts of the candidate."),
            *_EXPERIMENT,
            column("offer_id", _TEXT, "Offer that is made; null for a collections contact."),
            *_VERSIONS,
        ]
    ),
)

OFFER_CANDIDATES = TableContract(
    name="decisions.offer_candidates",
    description="The credit offer of each customer in good standing, before the gate: marketing, "
    "or the answer to their own application.",
    key=("lender_id", "as_of_date", "offer_id"),
    partition_by=("lender_id", "as_of_date"),
    schema=pa.schema(
        [
            *_DAY,
            column("offer_id", _TEXT, "Deterministic id of the offer.", nullable=False),
            column("customer_id", _TEXT, "Customer."),
            column("product", _TEXT, "Product offered."),
            column("currency", _TEXT, "ISO 4217."),
            column("amount", MONEY, "Amount lent."),
            column("annual_rate", pa.float64(), "Yearly rate, 0.12 = 12 %."),
            column("tenor_months", pa.int64(), "Instalments."),
            column("emi", MONEY, "Monthly instalment."),
            column("affordability", pa.float64(), "Obligations to income today."),
            column("affordability_after", pa.float64(), "The same with this offer's instalment."),
            column("declared_monthly_income", MONEY, "Income as declared."),
            column("p_accept", pa.float64(), "Shrunk share of yes of the product."),
            column("expected_margin", MONEY, "Margin if accepted."),
            column("expires_at_utc", TIMESTAMP, "End of the offer."),
            *_VERSIONS,
            *_OFFER_TYPE,
        ]
    ),
)

OFFERS = TableContract(
    name="decisions.offers",
    description="Credit offers that leave on the day: allowed by the gate and given a contact.",
    key=("lender_id", "as_of_date", "offer_id"),
    partition_by=("lender_id", "as_of_date"),
    schema=pa.schema(
        [
            *_DAY,
            column("offer_id", _TEXT, "Offer.", nullable=False),
            column("action_id", _TEXT, "Action that carries it."),
            column("compliance_decision_id", _TEXT, "The decision that allowed it."),
            column("customer_id", _TEXT, "Customer."),
            column("product", _TEXT, "Product offered."),
            column("currency", _TEXT, "ISO 4217."),
            column("amount", MONEY, "Amount lent."),
            column("annual_rate", pa.float64(), "Yearly rate."),
            column("tenor_months", pa.int64(), "Instalments."),
            column("emi", MONEY, "Monthly instalment."),
            column("expires_at_utc", TIMESTAMP, "End of the offer."),
            column("channel", _TEXT, "Channel."),
            column("scheduled_at_utc", TIMESTAMP, "Instant of sending."),
            *_VERSIONS,
            *_OFFER_TYPE,
        ]
    ),
)

COMPLIANCE_DECISIONS = TableContract(
    name="decisions.compliance_decisions",
    description="Verdicts on every chosen candidate and on each account's best forbidden one.",
    key=("lender_id", "as_of_date", "candidate_id"),
    partition_by=("lender_id", "as_of_date"),
    schema=pa.schema(
        [
            *_DAY,
            column("compliance_decision_id", _TEXT, "Deterministic id.", nullable=False),
            column("candidate_id", _TEXT, "Candidate.", nullable=False),
            column("pass", _TEXT, "mask (over all candidates) or chosen (over the choice)."),
            *_WHO,
            column("offer_id", _TEXT, "Offer; null for a collections contact."),
            column("verdict", _TEXT, "allow, block or defer."),
            column("violated_rules", _TEXT, "JSON list of {id, clause, version, detail}."),
            column("defer_until_utc", TIMESTAMP, "First instant the same facts would be allowed."),
            column("rule_mask", pa.int64(), "Bit i: clause i of the rulebook is violated."),
            column("facts_read", _TEXT, "JSON: the facts it was judged on."),
            *_VERSIONS,
        ]
    ),
)

GATE_COUNTS = TableContract(
    name="decisions.gate_counts",
    description="How many candidates each rule stopped; rule ALL counts every candidate once.",
    key=("lender_id", "as_of_date", "pass", "rule_id", "verdict"),
    partition_by=("lender_id",),
    schema=pa.schema(
        [
            *_DAY,
            column("pass", _TEXT, "mask or chosen.", nullable=False),
            column("rule_id", _TEXT, "Rule, or ALL.", nullable=False),
            column("verdict", _TEXT, "Verdict on the candidates counted.", nullable=False),
            column("candidates", pa.int64(), "How many."),
            *_RULED,
        ]
    ),
)

#: What the stage `decisions` publishes together, each after what it is decided from.
DECISIONS = (
    OFFER_CANDIDATES,
    GATE_COUNTS,
    STRATEGIES,
    COMPLIANCE_DECISIONS,
    ACTIONS,
    OFFERS,
)
