"""Running the jobs of the asset graph from the command line, in this process.

The same jobs as in the UI, on the same instance: a run started here is seen there.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import date
from typing import TYPE_CHECKING, Any

from paymentor_assets.deployment import Deployment
from paymentor_assets.settings import PROJECT_ROOT
from resources.errors import PayMentorError

if TYPE_CHECKING:
    import dagster as dg

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class RunFailedError(PayMentorError):
    """A job did not succeed; the message is that of the step that failed."""


def prepare_dagster_home(deployment: Deployment) -> None:
    """Make `DAGSTER_HOME` and link the repository's `dagster.yaml` into it."""
    home = deployment.settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    link = home / "dagster.yaml"
    if not link.exists():
        link.unlink(missing_ok=True)
        link.symlink_to(PROJECT_ROOT / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)


class Jobs:
    """The two code locations of one deployment, loaded once, and the instance they report to."""

    def __init__(self, deployment: Deployment) -> None:
        prepare_dagster_home(deployment)
        logging.getLogger("dagster").setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import dagster as dg

            from paymentor_assets import definitions

            self.instance = dg.DagsterInstance.get()
            self._production = definitions.build_defs(deployment.settings, deployment=deployment)
        self._deployment = deployment
        self._development: dg.Definitions | None = None

    def run(
        self,
        name: str,
        *,
        day: date | None = None,
        config: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """Run a production job and wait; raises RunFailedError with what the failed step said."""
        return self._execute(self._production, name, day, config, tags)

    def run_development(
        self, name: str, config: Mapping[str, Any] | None = None
    ) -> dg.ExecuteInProcessResult:
        """Run a job of the model development location."""
        if self._development is None:
            from paymentor_assets import model_development

            self._development = model_development.build_defs()
        return self._execute(self._development, name, None, config, None)

    def _execute(
        self,
        definitions: dg.Definitions,
        name: str,
        day: date | None,
        config: Mapping[str, Any] | None,
        tags: Mapping[str, str] | None,
    ) -> dg.ExecuteInProcessResult:
        with warnings.catch_warnings(), self._said_to_the_log():
            warnings.simplefilter("ignore")
            result = definitions.resolve_job_def(name).execute_in_process(
                instance=self.instance,
                partition_key=day.isoformat() if day else None,
                run_config={**_QUIET, **(config or {})},
                tags=dict(tags or {}),
                raise_on_error=False,
            )
        if not result.success:
            raise RunFailedError(_what_failed(name, result))
        return result

    @contextmanager
    def _said_to_the_log(self) -> Iterator[None]:
        # dbt reports every model and test on standard output; the run's page in the UI shows the
        # same, and a terminal should show progress.
        log = self._deployment.settings.dagster_home / "command-line.log"
        with log.open("a") as file, redirect_stdout(file), redirect_stderr(file):
            yield


def _what_failed(name: str, result: dg.ExecuteInProcessResult) -> str:
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            message = error.message.strip() if error else "no message was recorded"
            # Dagster writes "module.Class: sentence"; people need the sentence.
            _, separator, sentence = message.partition(": ")
            said = sentence if separator else message
            return f"Job {name} failed in {event.step_key}: {said}"
    return f"Job {name} failed; see run {result.run_id} in the Dagster UI."
