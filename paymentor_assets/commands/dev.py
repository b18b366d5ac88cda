"""`paymentor dev`: the Dagster UI over both code locations."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from paymentor_assets.commands.console import out
from paymentor_assets.commands.jobs import prepare_dagster_home
from paymentor_assets.deployment import Deployment
from paymentor_assets.settings import PROJECT_ROOT


def dev(deployment: Deployment, port: int) -> None:
    """Replace this process by `dagster dev`, so that its signals and exit code are Dagster's."""
    prepare_dagster_home(deployment)
    os.environ["PAYMENTOR_HOME"] = str(deployment.settings.home)
    sensors = "on" if deployment.settings.is_automation_on else "off"
    out.print(f"Dagster UI on http://127.0.0.1:{port} (sensors {sensors}); Ctrl-C ends it.")
    sys.stdout.flush()
    os.chdir(PROJECT_ROOT)
    executable = Path(sys.executable).with_name("dagster")
    os.execv(
        executable,
        [str(executable), "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)],
    )
