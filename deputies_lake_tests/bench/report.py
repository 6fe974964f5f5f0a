"""The benchmark's figures as a markdown page: tables, and what they were measured on."""

import importlib.metadata
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

from deputies_lake.environments import Environment, load_settings
from deputies_lake_tests.bench import contenders, duckdb_peer, plain_pyspark, predecessor
from deputies_lake_tests.bench.measure import Usage

Round = Mapping[str, Usage]
"""What each contender used, by its name."""

Steps = Mapping[str, float]

_PACKAGES: Final = ("dagster", "pyspark", "pysail", "pyiceberg", "pyarrow", "duckdb")
_UNIT_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def _collector(options: str) -> str:
    """The flags that change the speed; the others hold paths of this machine."""
    return " ".join(option for option in options.split() if option.startswith("-XX:"))


def seconds_of_steps(log: str) -> Steps:
    """From Dagster's log: how long each step of the lake took."""
    found = re.findall(r'Finished execution of step "([^"]+)" in ([0-9.hms]+)\.', log)
    return {step: _seconds(duration) for step, duration in found}


def comparison(rounds: Sequence[Round]) -> str:
    """Medians, and each contender's ratio to the lake in the same round: the median of the ratios (min to max)."""
    figures: tuple[tuple[str, Callable[[Usage], float]], ...] = (
        ("wall s", lambda usage: usage.wall_seconds),
        ("CPU s", lambda usage: usage.cpu_seconds),
        ("peak MiB", lambda usage: usage.peak_bytes / 2**20),
    )
    names = [name for name, _ in figures]
    rows = []
    for contender in contenders.ALL:
        medians = [f"{median(value(round_[contender.name]) for round_ in rounds):,.1f}" for _, value in figures]
        ratios = [
            spread([value(round_[contender.name]) / value(round_[contenders.LAKE.name]) for round_ in rounds])
            for _, value in figures
        ]
        rows.append([contender.title, *medians, *ratios])
    return table(["", *names, *(f"{name.split()[0]} / lake" for name in names)], rows)


def steps(runs: Sequence[tuple[Usage, Steps]]) -> str:
    """Seconds of the lake's steps, and what is spent outside them: Python's imports, definitions, the end."""
    rows = [[step, spread([taken[step] for _, taken in runs])] for step in runs[0][1]]
    rest = [usage.wall_seconds - sum(taken.values()) for usage, taken in runs]
    return table(["step of the lake", "s"], [*rows, ["(outside the steps)", spread(rest)]])


def memory(runs: Mapping[str, Mapping[int, Usage]]) -> str:
    """Each lake's peak memory, by its title, for files of different sizes."""
    rows = [
        [title, f"{size:,}", f"{use.peak_bytes / 2**20:,.0f}", f"{use.wall_seconds:,.1f}"]
        for title, of_lake in runs.items()
        for size, use in of_lake.items()
    ]
    sentences = []
    for title, of_lake in runs.items():
        small, large = min(of_lake), max(of_lake)
        ratio = of_lake[large].peak_bytes / of_lake[small].peak_bytes
        sentences.append(f"{title}: {large / small:.3g} times the rows take {ratio:.2f} times the memory.")
    return "\n\n".join([table(["", "rows", "peak MiB", "wall s"], rows), *sentences])


def surroundings() -> str:
    """Machine, versions, settings, date and command."""
    model = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory_kib = re.search(r"^MemTotal: +([0-9]+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    gibibytes = int(memory_kib[1]) / 2**20 if memory_kib else 0
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES)
    lake, plain = load_settings(Environment.LOCAL.value, {}), plain_pyspark.SETTINGS
    options = _collector(lake.spark["spark.driver.extraJavaOptions"])
    of_one_year = _collector(lake.spark_of_one_year["spark.driver.extraJavaOptions"]).removeprefix(options).strip()
    facts = {
        "Machine": f"{model[1] if model else platform.machine()}, {len(os.sched_getaffinity(0))} cores, "
        f"{gibibytes:.0f} GiB, {platform.system()}; "
        f"load average {os.getloadavg()[0]:.1f} at the end",
        "Versions": f"Python {platform.python_version()}, {versions}, {_java_version()}",
        "Java": f"the lake -Xmx{lake.spark['spark.driver.memory']} {options}, in a run of one year {of_one_year}; "
        f"plain PySpark -Xmx{plain['spark.driver.memory']} {plain['spark.driver.extraJavaOptions']}; "
        f"predecessor -Xmx{predecessor.SETTINGS['spark.driver.memory']}; "
        f"DuckDB has no Java, its memory_limit is {duckdb_peer.MEMORY_LIMIT}",
        "Warm-up": "none. Each run is a new process with a cold JVM, as a daily run is; the input is in the page cache",
        "Date": f"{datetime.now(tz=UTC):%Y-%m-%d %H:%M} UTC",
        "Command": f"`python -m {__package__} {shlex.join(sys.argv[1:])}`",
    }
    return "\n".join(f"- {name}: {fact}" for name, fact in facts.items())


def _java_version() -> str:
    """Of the runtime that Spark's own start script would choose."""
    java = ["sh", "-c", '"${JAVA_HOME:+$JAVA_HOME/bin/}java" -version 2>&1']
    return subprocess.run(java, check=True, capture_output=True, text=True).stdout.partition("\n")[0]


def _seconds(duration: str) -> float:
    parts = re.findall(r"([0-9.]+)(ms|s|m|h)", duration)
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts)


def spread(values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [names, ["---", *["---:"] * (len(names) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
