"""The model card: what a risk committee reads before it signs, in Markdown."""

from __future__ import annotations

from typing import Any

from paymentor_assets.models.artefact import ModelArtefact

_LIMITS = (
    "Learned from accounts that were open on the as-of days; refused applicants are not seen.",
    "Past contacts followed past policies: this predicts payment, not the effect of a contact.",
    "Judged on later days of the same lenders; a new lender or market needs its own test.",
)


def render(artefact: ModelArtefact) -> str:
    """Markdown of purpose, data, metrics beside the baseline, calibration, features and limits."""
    card = artefact.card
    data = card["data"]
    parts = [
        f"# Model card: {artefact.family}\n",
        "Ranks open accounts by the probability of a payment within 7 and 30 days, and by the "
        "share of the amount due that comes back within 30 days. It orders work; it decides "
        "nothing: the compliance gate does.\n",
        "## Data\n",
        f"{data['rows']} rows, labels known through {data['known_through']}. "
        f"Extract publications: {_listed(data['publications'])}.\n",
    ]
    for name, report in card["targets"].items():
        parts.append(_target_section(name, report))
    parts.append("## Features that matter most (share of gain, paid_30d)\n")
    parts += [f"- {row['feature']}: {row['gain_share']:.1%}" for row in card["top_features"]]
    parts.append("\n## Columns left out, and why\n")
    parts += [f"- {columns}: {reason}" for columns, reason in card["excluded"].items()]
    parts.append("\n## Limits\n")
    parts += [f"- {limit}" for limit in _LIMITS]
    return "\n".join(parts) + "\n"


def headline(artefact: ModelArtefact) -> dict[str, float]:
    """Flat metrics for a registry: `paid_30d.auc`, `paid_30d.baseline.auc`, …"""
    flat: dict[str, float] = {}
    for target, report in artefact.card["targets"].items():
        for part in ("test", "test_delinquent", "baseline", "baseline_delinquent"):
            prefix = target if part == "test" else f"{target}.{part.removeprefix('test_')}"
            for metric, value in report[part].items():
                if value is not None:
                    flat[f"{prefix}.{metric}"] = value
    return flat


def _target_section(name: str, report: dict[str, Any]) -> str:
    metrics = [metric for metric in report["test"] if metric != "rows"]
    lines = [
        f"## {name}\n",
        f"Trained on {report['train_rows']} rows of {len(report['train_days'])} days "
        f"({report['train_days'][0]} to {report['train_days'][-1]}), "
        f"{len(report['purged_days'])} days purged so that no label overlaps, judged on "
        f"{report['test']['rows']:.0f} rows of {report['test_days'][0]} to "
        f"{report['test_days'][-1]} ({report['test_delinquent']['rows']:.0f} delinquent).\n",
        "| metric | model | baseline | model, delinquent | baseline, delinquent |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {metric} | "
        + " | ".join(
            _number(report[part].get(metric))
            for part in ("test", "baseline", "test_delinquent", "baseline_delinquent")
        )
        + " |"
        for metric in metrics
    ]
    if report.get("calibration"):
        lines += ["", "| predicted | realised | rows |", "| --- | --- | --- |"]
        lines += [
            f"| {row['predicted']:.3f} | {row['realised']:.3f} | {row['rows']:.0f} |"
            for row in report["calibration"]
        ]
    return "\n".join(lines) + "\n"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _listed(publications: dict[str, str]) -> str:
    return ", ".join(f"{lender} {pub}" for lender, pub in sorted(publications.items())) or "none"
