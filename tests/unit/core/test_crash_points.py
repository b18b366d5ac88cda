"""Crash points: named, armed in-process by tests, or by the environment with a real SIGKILL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from resources import crash_points
from resources.crash_points import SimulatedCrash
from resources.errors import UsageError

crash_points.register("test.somewhere", "test.elsewhere")


def test_an_armed_point_crashes_and_only_inside_the_block() -> None:
    with (
        pytest.raises(SimulatedCrash, match=r"test\.somewhere"),
        crash_points.armed("test.somewhere"),
    ):
        crash_points.reach("test.elsewhere")
        crash_points.reach("test.somewhere")
    crash_points.reach("test.somewhere")


def test_a_crash_is_no_exception_that_a_handler_could_take_for_a_fault() -> None:
    assert not issubclass(SimulatedCrash, Exception)


def test_a_name_that_was_never_registered_cannot_be_reached_or_armed() -> None:
    with pytest.raises(UsageError, match=r"'test\.unknown' is not registered"):
        crash_points.reach("test.unknown")
    with (
        pytest.raises(UsageError, match=r"'test\.unknown' is not registered"),
        crash_points.armed("test.unknown"),
    ):
        raise AssertionError("the block must not be entered")


def test_registering_twice_lists_a_name_once() -> None:
    crash_points.register("test.somewhere")
    assert crash_points.names().count("test.somewhere") == 1


def test_the_environment_kills_the_process_without_any_clean_up() -> None:
    program = (
        "from resources.crash_points import reach, register\n"
        "register('test.step')\n"
        "try:\n"
        "    reach('test.step')\n"
        "finally:\n"
        "    print('cleaned up', flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PAYMENTOR_CRASH_AT": "test.step"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert done.stdout == ""
