"""`deputies-lake fetch`, as a person types it and reads it."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deputies_lake.cli import fetch as fetch_verb
from deputies_lake.cli.fetch import fetch
from deputies_lake.environments import CHAMBER_URL, ENVIRONMENT, LANDING
from deputies_lake_tests.raw.house import Fault, House, zip_of

Run = Callable[..., Result]


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """It publishes three years; the last of them is the current one."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(fetch_verb, "current_year", lambda: 2024)
    with House() as house:
        for year in (2022, 2023, 2024):
            house.publish(year, zip_of(year, size=20_000))
        yield house


@pytest.fixture
def run(house: House, tmp_path: Path) -> Run:
    def invoke(*arguments: str, **variables: str) -> Result:
        environment = {ENVIRONMENT: "local", LANDING: str(tmp_path), CHAMBER_URL: house.url, **variables}
        return CliRunner(env=environment).invoke(fetch, arguments)

    return invoke


def landed(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.is_file())


def years_asked_for(house: House) -> list[int]:
    return sorted(seen.year for seen in house.seen)


def test_it_says_what_came_of_each_year(run: Run, house: House, tmp_path: Path) -> None:
    run("--years", "2023")
    told = run("--years", "2022..2023")
    first, *lines, last = told.output.splitlines()
    assert first == f"Fetching from {house.url} into {tmp_path}"
    assert sorted(lines) == ["  Ano-2022.csv.zip: new", "  Ano-2023.csv.zip: unchanged"]
    assert last == "1 new, 1 unchanged"
    assert told.exit_code == 0


def test_what_it_fetched_is_in_the_landing_zone(run: Run, tmp_path: Path) -> None:
    run("--years", "2023..2024")
    assert landed(tmp_path) == ["Ano-2023.csv.zip", "Ano-2024.csv.zip"]


@pytest.mark.parametrize(
    ("arguments", "years"),
    [
        ((), [2023, 2024]),
        (("--years", "2022"), [2022]),
        (("--years", "2022..2023"), [2022, 2023]),
        (("--years", "2022.."), [2022, 2023, 2024]),
    ],
)
def test_years_are_one_a_range_or_the_latest_two(
    run: Run, house: House, arguments: tuple[str, ...], years: list[int]
) -> None:
    assert run(*arguments).exit_code == 0
    assert years_asked_for(house) == years


@pytest.mark.parametrize("years", ["", "24", "2023-2024", "..2024", "2023...2024", "2022,2023"])
def test_what_are_no_years_is_refused_with_what_to_write(run: Run, house: House, years: str) -> None:
    told = run("--years", years)
    assert f"{years!r} is neither a year nor a range of years: write 2024, 2023..2026 or 2008.." in told.output
    assert (told.exit_code, house.seen) == (2, [])


@pytest.mark.parametrize("years", ["2007", "2025", "2007..2024", "2024..2025", "2024..2023", "2025.."])
def test_years_that_are_not_published_are_refused(run: Run, house: House, years: str) -> None:
    told = run("--years", years)
    assert f"{years!r} is not within 2008..2024, the years that the House publishes" in told.output
    assert (told.exit_code, house.seen) == (2, [])


def test_one_years_failure_is_told_at_the_end_with_its_remedy(run: Run, house: House, tmp_path: Path) -> None:
    house.faults = [Fault(status=403)]
    told = run("--years", "2024")
    error = (
        f"{house.url}/Ano-2024.csv.zip: the server answered 403 Forbidden. Try again later: "
        f"`deputies-lake fetch --years 2024`. Or put Ano-2024.csv.zip by hand into {tmp_path} and set "
        "DEPUTIES_LAKE_CHAMBER_URL=none, so that it stays."
    )
    assert told.output.splitlines() == [
        f"Fetching from {house.url} into {tmp_path}",
        "  Ano-2024.csv.zip: failed: the server answered 403 Forbidden",
        "1 failed",
        error,
    ]
    assert told.exit_code == 1


def test_the_other_years_land_all_the_same(run: Run, house: House, tmp_path: Path) -> None:
    del house.files[2023]
    told = run("--years", "2022..")
    assert (told.exit_code, landed(tmp_path)) == (1, ["Ano-2022.csv.zip", "Ano-2024.csv.zip"])


def test_where_files_come_by_hand_nothing_is_fetched(run: Run, house: House, tmp_path: Path) -> None:
    told = run(**{CHAMBER_URL: "none"})
    assert told.output == f"Error: DEPUTIES_LAKE_CHAMBER_URL=none: files come into {tmp_path} by hand\n"
    assert (told.exit_code, house.seen) == (1, [])


def test_a_setting_that_makes_no_sense_is_told(run: Run) -> None:
    told = run(**{CHAMBER_URL: "camara"})
    assert told.output == (
        "Error: DEPUTIES_LAKE_CHAMBER_URL='camara' is no address: let it begin with https://, or set it to none\n"
    )
    assert told.exit_code == 1


def on_a_terminal(command: list[str], environment: dict[str, str]) -> str:
    """All that a command wrote to the terminal it ran at."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdout=theirs, env=environment)
    os.close(theirs)
    written = b""
    # Linux ends a terminal that nobody writes to any more with an error.
    with suppress(OSError):
        while block := os.read(ours, 4096):
            written += block
    os.close(ours)
    assert process.wait() == 0
    return written.decode()


def test_at_a_terminal_a_line_shows_how_far_it_is_and_goes_when_it_is_done(house: House, tmp_path: Path) -> None:
    house.publish(2022, zip_of(2022, size=200_000))
    house.pause = 0.03
    command = [sys.executable, "-c", "from deputies_lake.cli.fetch import fetch; fetch()", "--years", "2022"]
    variables = {LANDING: str(tmp_path), CHAMBER_URL: house.url, ENVIRONMENT: "local"}
    written = on_a_terminal(command, {**os.environ, **variables})
    lines = [line.strip() for line in written.replace("\r\n", "\n").replace("\r\x1b[K", "\n").splitlines()]
    assert "2022: 0.1 of 0.2 MiB" in lines
    assert [line for line in lines if line and "MiB" not in line][1:] == ["Ano-2022.csv.zip: new", "1 new"]


def test_who_writes_to_a_file_gets_lines_alone(run: Run) -> None:
    assert "\r" not in run("--years", "2022").output
