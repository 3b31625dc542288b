# SPDX-License-Identifier: Apache-2.0
"""The hostile tests use the integration tests' stack and fixtures, and print a table at the end."""

import importlib.util
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
INTEGRATION = HERE.parent / "integration"
for folder in (HERE, INTEGRATION):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

# The other folder's conftest.py, under a name of its own.
specification = importlib.util.spec_from_file_location("integration_conftest", INTEGRATION / "conftest.py")
integration = importlib.util.module_from_spec(specification)
specification.loader.exec_module(integration)

machine = integration.machine
pytest_runtest_makereport = integration.pytest_runtest_makereport


def pytest_terminal_summary(terminalreporter):
    from harness import RESULTS

    columns = ("outside", "inside", "inside, every system call asked for")
    if not RESULTS:
        return
    rows = [("probe", *columns)]
    rows += [(name, *(row.get(column, "-") for column in columns)) for name, row in sorted(RESULTS.items())]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    terminalreporter.section("hostile probes")
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths)]
        terminalreporter.write_line(" | ".join(cells).rstrip())
