# SPDX-License-Identifier: Apache-2.0
"""One service a file of stories; a failing story shows the end of its log."""
import pytest

pytest.register_assert_rewrite("service", "raw")
from service import Service, World


@pytest.fixture(scope="module")
def service():
    started = Service()
    try:
        started.start()
        yield started
    finally:
        started.close()


@pytest.fixture(scope="module")
def world(service):
    return World(service)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    running = item.funcargs.get("service") if hasattr(item, "funcargs") else None
    if report.failed and running is not None:
        report.sections.append(("chanceryd", running.log()[-6000:]))
