"""The model card: what a risk committee reads before it signs, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paymentor_assets.models.artefact import ModelArtefact

#: Parts of a target's report that hold metrics begin so.
MODEL, BASELINE = "test", "baseline"


def render(artefact: ModelArtefact) -> str:
    """Markdown of purpose, data, metrics beside the baseline, candidates, features and limits."""
    card = artefact.card
    data = card["data"]
    parts = [
        f"# Model card: {artefact.family}\n",
        f"{card['purpose']}\n",
        "## Data\n",
        f"{data['rows']} rows, labels known through {data['known_through']}. "
        f"Extract publications: {_listed(data['publications'])}.\n",
    ]
    for name, report in card["targets"].items():
        parts.append(_target_section(name, report))
    parts.append("\n## Features, the columns they rest on, and their fair use\n")
    parts += _table(
        ["feature", "columns", "personal data", "in credit decisions", "missing"],
        [
            [
                feature["feature"],
                ", ".join(feature["columns"]) or "the event itself",
                ", ".join(feature["pii_class"]) or "none",
                "allowed" if feature["is_allowed_in_credit_decisions"] else "excluded",
                f"{card['missing_share'][feature['feature']]:.1%}",
            ]
            for feature in card["features"]
        ],
    )
    parts.append(f"\n## Fairness\n\n{card['fairness']}.")
    parts.append("\n## Columns left out, and why\n")
    parts += [f"- {columns}: {reason}" for columns, reason in card["excluded"].items()]
    parts.append("\n## Limits\n")
    parts += [f"- {limit}" for limit in card["limits"]]
    return "\n".join(parts) + "\n"


def headline(artefact: ModelArtefact) -> dict[str, float]:
    """Flat metrics for a registry: `paid_30d.auc`, `paid_30d.baseline.auc`, …"""
    flat: dict[str, float] = {}
    for target, report in artefact.card["targets"].items():
        for part in _metric_parts(report):
            name = part.removeprefix(MODEL).removeprefix("_")
            prefix = f"{target}.{name}" if name else target
            for metric, value in report[part].items():
                if value is not None:
                    flat[f"{prefix}.{metric}"] = value
    return flat


def _metric_parts(report: Mapping[str, Any]) -> list[str]:
    """`test`, `baseline`, and the same of the rows that are judged apart."""
    return [
        name
        for name, value in report.items()
        if name.split("_")[0] in (MODEL, BASELINE) and isinstance(value, Mapping)
    ]


def _target_section(name: str, report: Mapping[str, Any]) -> str:
    parts = _metric_parts(report)
    lines = [
        f"## {name}\n",
        f"Trained on {report['train_rows']} rows of {len(report['train_days'])} days "
        f"({report['train_days'][0]} to {report['train_days'][-1]}), "
        f"{len(report['purged_days'])} days purged so that no label overlaps, judged on "
        f"{report[MODEL]['rows']:.0f} rows of {report['test_days'][0]} to "
        f"{report['test_days'][-1]}."
        f"{' The baseline is a plain regression on the same days.' if BASELINE in report else ''}"
        f"{' Treatment: ' + report['treatment'] + '.' if 'treatment' in report else ''}\n",
        *_table(
            ["metric", *(_part_name(part) for part in parts)],
            [
                [metric, *(_number(report[part].get(metric)) for part in parts)]
                for metric in report[MODEL]
            ],
        ),
    ]
    if report.get("calibration"):
        lines += _table(
            ["predicted", "realised", "rows"],
            [
                [f"{row['predicted']:.3f}", f"{row['realised']:.3f}", f"{row['rows']:.0f}"]
                for row in report["calibration"]
            ],
        )
    if report.get("centroids"):
        heads = list(report["centroids"][0])
        lines += _table(heads, [[str(row[head]) for head in heads] for row in report["centroids"]])
    if "choice" in report:
        lines += _candidates(report["choice"])
    if report.get("top_features"):
        lines.append("Features that matter most, by share of all contributions:\n")
        lines += [f"- {row['feature']}: {row['share']:.1%}" for row in report["top_features"]]
    if report["left_out_unknown"]:
        lines.append(f"\nKnown of nobody, left out: {', '.join(report['left_out_unknown'])}.")
    return "\n".join(lines) + "\n"


def _candidates(choice: Mapping[str, Any]) -> list[str]:
    """The candidates that were tried and what they scored over the folds."""
    return [
        f"Candidates over folds ({choice['folds']}):\n",
        *_table(
            ["candidate", "columns", "mean", "standard error", "chosen"],
            [
                [
                    tried["candidate"],
                    tried["columns"],
                    _number(tried["mean"]),
                    _number(tried["standard_error"]),
                    "yes" if tried["is_chosen"] else "",
                ]
                for tried in choice["candidates"]
            ],
        ),
    ]


def _table(heads: list[str], rows: list[list[str]]) -> list[str]:
    return [
        f"| {' | '.join(heads)} |",
        f"|{' --- |' * len(heads)}",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
    ]


def _part_name(part: str) -> str:
    kind, _, rows = part.partition("_")
    name = "model" if kind == MODEL else kind
    return f"{name}, {rows}" if rows else name


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _listed(publications: Mapping[str, str]) -> str:
    return ", ".join(f"{lender} {pub}" for lender, pub in sorted(publications.items())) or "none"
