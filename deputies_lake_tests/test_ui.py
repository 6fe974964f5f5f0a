"""What a person sees and starts with `dagster dev`: the graph, the checks, a backfill taken up by the daemon."""

import os
import re
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator

import dagster as dg
import pytest
from selenium.webdriver import Chrome

from deputies_lake.contracts import LAYERS
from deputies_lake.environments import Engine
from deputies_lake_tests import browser
from deputies_lake_tests.as_typed import PROJECT, README, Shell, commands_in
from deputies_lake_tests.test_definitions import CONTRACTS

ROWS = 1_000
START_SECONDS = 120
BACKFILL_SECONDS = 900


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    shell = Shell(tmp_path_factory.mktemp("ui"), Engine.SAIL)
    shell.prepare()
    done = shell.run(f"deputies-lake demo --rows {ROWS}")
    assert done.returncode == 0, done.stdout
    return shell


@pytest.fixture(scope="module")
def url(shell: Shell) -> Iterator[str]:
    """`dagster dev`, as `make dev` starts it, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (shell.home / "dev.log").open("w")
    server = subprocess.Popen(
        ["dagster", "dev", "--port", str(port)], cwd=PROJECT, env=shell.environment, stdout=log, stderr=log
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_it_serves(address)
        yield address
    finally:
        server.terminate()
        server.wait(60)
        log.close()


def _wait_until_it_serves(address: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"{address}/server_info", timeout=5).close()
        except OSError:
            assert time.monotonic() < deadline, "dagster dev did not come up"
            time.sleep(0.5)
        else:
            return


@pytest.fixture(scope="module")
def opened() -> Iterator[Chrome]:
    """A browser; machines without one skip these tests, CI must have one."""
    if not browser.is_installed():
        if os.environ.get("CI") == "true":
            pytest.fail("chromium or chromedriver is missing: CI must look at the UI, not skip it")
        pytest.skip("this machine has no chromium and chromedriver")
    with browser.chromium() as chrome:
        yield chrome


@pytest.mark.parametrize("layer", LAYERS)
def test_the_graph_shows_every_table_in_its_layer(url: str, opened: Chrome, layer: str) -> None:
    tables = {contract.name for contract in CONTRACTS.values() if contract.layer == layer}
    browser.open_asset_graph(opened, url, [layer], {*LAYERS, *tables})


def test_the_checks_of_the_fact_are_shown(url: str, opened: Chrome) -> None:
    checks = ("grain_is_unique", "required_columns_are_filled", "references_resolve", "adds_up")
    browser.wait_for_texts(opened, f"{url}/assets/star/fct_expenses?view=checks", *checks)


def test_the_page_of_the_fact_describes_its_columns_in_both_languages(url: str, opened: Chrome) -> None:
    browser.wait_for_texts(
        opened,
        f"{url}/assets/star/fct_expenses?view=overview",
        "quota year, not the year of the receipt's date / ano da cota",
        "rows by year",
        "snapshot id",
    )


def test_a_documented_backfill_is_run_year_by_year(url: str, shell: Shell) -> None:
    (line,) = [c for c in commands_in(README) if c.startswith("dagster job backfill")]
    years = re.search(r"--partitions (\S+)", line)
    assert years is not None
    done = shell.run(line)
    assert done.returncode == 0, done.stdout
    (backfill,) = re.findall(r"Launched backfill job `(\w+)`", done.stdout)
    with dg.DagsterInstance.from_config(str(shell.dagster_home)) as instance:
        runs = _finished_runs(instance, backfill, len(years[1].split(",")))
    assert {run.tags["dagster/partition"]: run.status.value for run in runs} == dict.fromkeys(
        years[1].split(","), "SUCCESS"
    )


def _finished_runs(instance: dg.DagsterInstance, backfill: str, count: int) -> list[dg.DagsterRun]:
    deadline = time.monotonic() + BACKFILL_SECONDS
    while True:
        runs = list(instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": backfill})))
        if len([run for run in runs if run.is_finished]) == count:
            return runs
        assert time.monotonic() < deadline, f"the backfill is not done: {[run.status for run in runs]}"
        time.sleep(1)
