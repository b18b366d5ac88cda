"""How commands speak: progress while they work, then what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class Step:
    """One line of progress; `note` is what it says when it is done."""

    def __init__(self) -> None:
        self.note = ""


@contextmanager
def step(title: str) -> Iterator[Step]:
    """Show that something is going on, then how long it took and what came of it.

    On a terminal the line spins; in a log it is printed when it begins and when it ends.
    """
    begun = time.monotonic()
    line = Step()
    if out.is_terminal:
        with out.status(f"{title} …"):
            yield line
    else:
        out.print(f"… {title}")
        yield line
    seconds = time.monotonic() - begun
    note = f"  {line.note}" if line.note else ""
    out.print(f"[green]✓[/green] {title} [dim]{seconds:5.1f} s[/dim]{note}")


def facts(title: str, rows: Mapping[str, object]) -> None:
    """Print a two-column summary."""
    table = Table(title=title, show_header=False, title_justify="left", box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    for name, value in rows.items():
        table.add_row(name, str(value))
    out.print(table)
