"""Train in this process, and write down every path and address it touches.

Run as `python -m tests.support.confined REPORT` with development's environment only. An audit hook
sees what Python itself opens, lists, changes or connects to; libraries that open files in their own
code (Arrow, DuckDB, XGBoost) are not seen, which is why the test also takes production's folder
away.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

#: Audit events whose arguments hold paths, and at which places.
_PATHS = {
    "open": (0,),
    "sqlite3.connect": (0,),
    "os.listdir": (0,),
    "os.scandir": (0,),
    "os.chdir": (0,),
    "os.mkdir": (0,),
    "os.remove": (0,),
    "os.rmdir": (0,),
    "os.rename": (0, 1),
    "os.link": (0, 1),
    "os.symlink": (0, 1),
    "os.truncate": (0,),
    "os.chmod": (0,),
    "os.utime": (0,),
    "shutil.copyfile": (0, 1),
    "shutil.move": (0, 1),
    "shutil.rmtree": (0,),
    "subprocess.Popen": (0,),
}
_ADDRESSES = ("socket.connect", "socket.getaddrinfo", "socket.sendto")

touched: set[str] = set()
addresses: set[str] = set()


def _path(argument: object) -> str | None:
    if not isinstance(argument, str | bytes | os.PathLike):
        return None  # an open descriptor, whose path was seen when it was opened
    text = os.fsdecode(argument)
    if text.startswith("file:"):
        text = text.removeprefix("file:").split("?")[0]
    return os.path.abspath(text)  # noqa: PTH100 - resolving links would open what is being watched


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _ADDRESSES:
        addresses.add(f"{event} {arguments!r}")
    for place in _PATHS.get(event, ()):
        path = _path(arguments[place])
        if path is not None:
            touched.add(path)


def main(report: Path) -> None:
    """Train the customer ranking through its job, then report."""
    sys.addaudithook(_watch)
    import dagster as dg

    from paymentor_assets import model_development

    with dg.DagsterInstance.ephemeral() as instance:
        job = model_development.build_defs().resolve_job_def("train_customer_ranking")
        ran = job.execute_in_process(instance=instance)
    said = {
        "success": ran.success,
        "touched": sorted(touched),
        "addresses": sorted(addresses),
        # Where imports are looked for.
        "import_roots": [os.path.abspath(root) for root in sys.path],  # noqa: PTH100
    }
    report.write_text(json.dumps(said))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
