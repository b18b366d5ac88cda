"""Small plots as Markdown images: SVG written by hand, because a plotting library costs seconds of
start-up (and a font cache) for a dozen rectangles."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from paymentor_assets.models.learning.columns import Floats

_WIDTH, _HEIGHT, _MARGIN = 420, 200, 30
_BLUE, _GREY = "#4f43dd", "#9a9a9a"


def histogram(values: Floats, title: str, bins: int = 20) -> str:
    """Markdown image: how many values between 0 and 1 fall into each of `bins` equal parts."""
    counts, _ = np.histogram(values, bins=bins, range=(0.0, 1.0))
    tallest = max(int(counts.max()), 1)
    width = (_WIDTH - 2 * _MARGIN) / bins
    bars = [
        f'<rect x="{_MARGIN + k * width:.1f}" y="{_y(count / tallest):.1f}" '
        f'width="{width - 1:.1f}" height="{_y(0) - _y(count / tallest):.1f}" fill="{_BLUE}"/>'
        for k, count in enumerate(counts)
    ]
    return _image(title, [*bars, *_axis()])


def calibration(rows: Sequence[dict[str, float]], title: str) -> str:
    """Markdown image: realised over predicted rate, beside the diagonal they should lie on.

    `rows` as from `evaluation.calibration_table`.
    """
    diagonal = f'<path d="M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}" stroke="{_GREY}" fill="none"/>'
    points = [
        f'<circle cx="{_x(row["predicted"]):.1f}" cy="{_y(row["realised"]):.1f}" r="4" '
        f'fill="{_BLUE}"/>'
        for row in rows
    ]
    return _image(title, [diagonal, *points, *_axis()])


def bars(values: Mapping[str, float], title: str, most: int = 12) -> str:
    """Markdown image: the `most` largest values by size of their amount, one bar each, named."""
    shown = sorted(values.items(), key=lambda item: (-abs(item[1]), item[0]))[:most]
    longest = max((abs(value) for _, value in shown), default=0.0) or 1.0
    height = (_HEIGHT - 2 * _MARGIN) / max(len(shown), 1)
    shapes = []
    for k, (name, value) in enumerate(shown):
        top = _MARGIN + k * height
        width = abs(value) / longest * (_WIDTH / 2 - _MARGIN)
        shapes += [
            f'<rect x="{_WIDTH / 2:.0f}" y="{top:.1f}" width="{width:.1f}" '
            f'height="{height - 2:.1f}" fill="{_BLUE}"/>',
            f'<text x="{_WIDTH / 2 - 6:.0f}" y="{top + height / 2 + 3:.1f}" font-size="9" '
            f'text-anchor="end" fill="{_GREY}">{escape(name)} {value:.3g}</text>',
        ]
    return _image(title, shapes)


def _x(share: float) -> float:
    return _MARGIN + share * (_WIDTH - 2 * _MARGIN)


def _y(share: float) -> float:
    return _HEIGHT - _MARGIN - share * (_HEIGHT - 2 * _MARGIN)


def _axis() -> list[str]:
    line = f'<path d="M{_x(0)} {_y(0)}L{_x(1)} {_y(0)}" stroke="{_GREY}"/>'
    labels = [
        f'<text x="{_x(at):.0f}" y="{_HEIGHT - 12}" font-size="11" text-anchor="middle" '
        f'fill="{_GREY}">{at:g}</text>'
        for at in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    return [line, *labels]


def _image(title: str, shapes: Sequence[str]) -> str:
    heading = f'<text x="{_MARGIN}" y="18" font-size="12" fill="{_GREY}">{escape(title)}</text>'
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'font-family="sans-serif">{heading}{"".join(shapes)}</svg>'
    )
    encoded = base64.b64encode(svg.encode()).decode()
    return f"![{title}](data:image/svg+xml;base64,{encoded})"
