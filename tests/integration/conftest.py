# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the integration tests; the hostile tests use them too."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import stack as stack_module  # noqa: E402
from name_service import NameService  # noqa: E402
from stack import REPOSITORY, Stack  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def machine():
    """What every test needs: root, the programs, the accounts, and orphans that come to us."""
    assert os.getuid() == 0, "these tests start a broker: run them as root"
    missing = stack_module.missing_programs()
    assert not missing, f"not built: {', '.join(missing)} (in {stack_module.BUILT})"
    subprocess.run(["systemd-sysusers", str(REPOSITORY / "units" / "sandboxd.sysusers")], check=True)
    stack_module.become_subreaper()


@pytest.fixture(scope="session")
def app(machine):
    """The tests' application, a static program."""
    folder = Path(tempfile.mkdtemp(prefix="sandboxd-test-app."))
    stack_module.compile_static(stack_module.APPS / "app.c", folder / "app")
    yield folder / "app"
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def names():
    """The tests' name service: names.prefix runs a stack that asks it."""
    with NameService() as service:
        yield service


@pytest.fixture
def make_stack(app):
    """Starts stacks for one test; they are stopped, and their leavings looked for, at its end."""
    stacks = []

    def make(services, **arguments):
        arguments.setdefault("programs", [app])
        stacks.append(Stack(services, **arguments))
        return stacks[-1]

    yield make
    for one in reversed(stacks):
        one.stop()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows the ends of both logs beside a failure."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for one in stack_module.running:
            report.sections.append(("broker log", one.broker_log()[-4000:]))
            report.sections.append(("bridge log", one.bridge_log()[-2000:]))
