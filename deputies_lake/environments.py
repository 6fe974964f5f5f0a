"""Where the lake runs: local, staging or prod, and the settings of each.

The settings' environment variables are read here and nowhere else (the linter sees to it); Java has its own in
`java.py`. No AWS call: settings of every environment load on any machine, without a network.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final


class Environment(StrEnum):
    LOCAL = "local"
    STAGING = "staging"
    PROD = "prod"


class SettingsError(ValueError):
    """A setting that is missing or makes no sense. Says which variable, and what to set it to."""


ENVIRONMENT: Final = "DEPUTIES_LAKE_ENVIRONMENT"
HOME: Final = "DEPUTIES_LAKE_HOME"
LANDING: Final = "DEPUTIES_LAKE_LANDING"
BUCKETS: Final = "DEPUTIES_LAKE_BUCKETS"
REGION: Final = "AWS_REGION"
CPF_KEY: Final = "DEPUTIES_LAKE_CPF_KEY"
SPARK_MEMORY: Final = "DEPUTIES_LAKE_SPARK_MEMORY"
EMR_CLUSTER: Final = "DEPUTIES_LAKE_EMR_CLUSTER"
DAGSTER_HOME: Final = "DAGSTER_HOME"

VARIABLES: Final[Mapping[str, str]] = {
    ENVIRONMENT: "local, staging or prod; local unless set",
    HOME: "local: the directory of the lake; ./lake unless set",
    LANDING: "directory or s3:// prefix in which the CSV files arrive; <lake>/landing unless set",
    BUCKETS: "staging, prod: what the buckets' names begin with; deputies-lake-<environment> unless set",
    REGION: "staging, prod: the AWS region; sa-east-1 unless set",
    CPF_KEY: "the secret that hides the tax ids of private persons; local has a public default, the others none",
    SPARK_MEMORY: "local: heap of the Spark driver; 1g unless set",
    EMR_CLUSTER: "staging, prod: id of the EMR cluster that runs the steps",
}


_CPF_KEY_LENGTH: Final = 32


@dataclass(frozen=True, kw_only=True)
class EmrSettings:
    """What the step launcher needs to know. `package` is the versioned code artifact, never a working directory."""

    cluster_id: str
    region: str
    staging_bucket: str
    package: str


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that differs between environments, resolved.

    `warehouse`, `archive` and `landing` are S3 URIs or absolute paths; `home` is the local lake's directory.
    """

    environment: Environment
    home: str | None
    warehouse: str
    archive: str
    landing: str
    region: str
    spark: Mapping[str, str]
    emr: EmrSettings | None
    cpf_key: str | None = field(repr=False)

    def require_cpf_key(self) -> str:
        """The secret for the tax ids of private persons. Raises `SettingsError` where none is set."""
        if not self.cpf_key or len(self.cpf_key) < _CPF_KEY_LENGTH:
            found = "is too short" if self.cpf_key else "is not set"
            needed = f"needs a secret of at least {_CPF_KEY_LENGTH} characters"
            raise SettingsError(f"{CPF_KEY} {found}: {self.environment} {needed}")
        return self.cpf_key


# Dates are computed from text and carry no time zone; UTC keeps Spark from shifting those that pass through one.
# Parquet's old INT96 timestamps are refused by Iceberg. Neither may differ between environments.
_SPARK: Final[Mapping[str, str]] = {
    "spark.app.name": "deputies_lake",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.parquet.fieldId.read.enabled": "true",
    "spark.sql.ansi.enabled": "false",
}

# Spark's own defaults print a page of warnings that a laptop always causes.
_LOG4J: Final = f'"-Dlog4j2.configurationFile={Path(__file__).parent / "resources" / "log4j2.properties"}"'

_LOCAL_SPARK: Final[Mapping[str, str]] = {
    "spark.master": "local[*]",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    # A laptop has few cores: 200 shuffle partitions, Spark's default, cost more than the work in them.
    "spark.sql.shuffle.partitions": "4",
    # Pieces of a table small enough that no core waits long for the other's last one.
    "spark.sql.files.maxPartitionBytes": "16m",
    # Above 32 files Spark starts a job to list them, which takes longer than listing them.
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "1000",
    # Throughput counts here, pauses do not. Spark's generated methods may pass the size (8000 bytecodes) from which
    # the JVM would only interpret them, which is slower tenfold.
    "spark.driver.extraJavaOptions": f"-XX:+UseParallelGC -XX:-DontCompileHugeMethods {_LOG4J}",
}

_CLUSTER_SPARK: Final[Mapping[str, str]] = {
    "spark.master": "yarn",
    # Size decides the number of files, not the number of cores.
    "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
    "spark.sql.adaptive.advisoryPartitionSizeInBytes": "128m",
}

_LOCAL_CPF_KEY: Final = "a public key: fit for a laptop, not for publication"


def load_settings(environment: str | None = None, variables: Mapping[str, str] | None = None) -> Settings:
    """The settings of `environment`, or of the one that `DEPUTIES_LAKE_ENVIRONMENT` names.

    `variables` stands in for the process's environment variables. Raises `SettingsError` for an unknown environment,
    naming those there are.
    """
    given = os.environ if variables is None else variables
    name = environment or given.get(ENVIRONMENT) or Environment.LOCAL.value
    known = [e.value for e in Environment]
    if name not in known:
        raise SettingsError(
            f"{ENVIRONMENT}={name!r} is no environment of this lake; set it to one of: {', '.join(known)}"
        )
    if name == Environment.LOCAL:
        return _local(given)
    return _aws(Environment(name), given)


def _local(given: Mapping[str, str]) -> Settings:
    home = Path(given.get(HOME) or "lake").expanduser().absolute()
    landing = given.get(LANDING) or str(home / "landing")
    if "://" not in landing:
        landing = str(Path(landing).expanduser().absolute())
    return Settings(
        environment=Environment.LOCAL,
        home=str(home),
        warehouse=str(home / "warehouse"),
        archive=str(home / "archive"),
        landing=landing,
        region="",
        spark={**_SPARK, **_LOCAL_SPARK, "spark.driver.memory": given.get(SPARK_MEMORY) or "1g"},
        emr=None,
        cpf_key=given.get(CPF_KEY) or _LOCAL_CPF_KEY,
    )


def _aws(environment: Environment, given: Mapping[str, str]) -> Settings:
    buckets = given.get(BUCKETS) or f"deputies-lake-{environment}"
    region = given.get(REGION) or "sa-east-1"
    return Settings(
        environment=environment,
        home=None,
        warehouse=f"s3://{buckets}-lake",
        archive=f"s3://{buckets}-raw/archive",
        landing=given.get(LANDING) or f"s3://{buckets}-landing",
        region=region,
        spark={**_SPARK, **_CLUSTER_SPARK},
        emr=EmrSettings(
            cluster_id=given.get(EMR_CLUSTER) or "unknown",
            region=region,
            staging_bucket=f"{buckets}-artifacts",
            package=f"s3://{buckets}-artifacts/deputies_lake.zip",
        ),
        cpf_key=given.get(CPF_KEY),
    )


def use_landing(directory: Path) -> None:
    """Take files from `directory` from now on, in this process and those it starts."""
    os.environ[LANDING] = str(directory.absolute())


def provide_dagster_home() -> Path:
    """Where Dagster keeps its runs: the directory that is set, else one inside the local lake, made if missing."""
    if given := os.environ.get(DAGSTER_HOME):
        return Path(given)
    home = Path(load_settings(Environment.LOCAL).home or ".") / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    configuration = home / "dagster.yaml"
    if not configuration.exists():
        configuration.write_text("telemetry:\n  enabled: false\nnux:\n  enabled: false\n", encoding="utf-8")
    os.environ[DAGSTER_HOME] = str(home)
    return home
