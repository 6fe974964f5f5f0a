"""Where the lake runs: local, staging or prod, and the settings of each.

The settings' environment variables are read here and nowhere else (the linter sees to it); Java has its own in
`java.py`. No AWS call: settings of every environment load on any machine, without a network.
"""

import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit


class Environment(StrEnum):
    LOCAL = "local"
    STAGING = "staging"
    PROD = "prod"


class Engine(StrEnum):
    """What computes a step's tables: Spark, or on a laptop Sail, which runs in the same process without Java."""

    SPARK = "spark"
    SAIL = "sail"


class SettingsError(ValueError):
    """A setting that is missing or makes no sense. Says which variable, and what to set it to."""


ENVIRONMENT: Final = "DEPUTIES_LAKE_ENVIRONMENT"
HOME: Final = "DEPUTIES_LAKE_HOME"
LANDING: Final = "DEPUTIES_LAKE_LANDING"
CHAMBER_URL: Final = "DEPUTIES_LAKE_CHAMBER_URL"
REBUILD: Final = "DEPUTIES_LAKE_REBUILD"
KEEP_DAYS: Final = "DEPUTIES_LAKE_KEEP_DAYS"
BUCKETS: Final = "DEPUTIES_LAKE_BUCKETS"
REGION: Final = "AWS_REGION"
ENDPOINT: Final = "AWS_ENDPOINT_URL"
ACCOUNT: Final = "DEPUTIES_LAKE_ACCOUNT"
OWNER: Final = "DEPUTIES_LAKE_OWNER"
SUBNETS: Final = "DEPUTIES_LAKE_SUBNETS"
MAX_UNITS: Final = "DEPUTIES_LAKE_MAX_UNITS"
POLL_SECONDS: Final = "DEPUTIES_LAKE_POLL_SECONDS"
ALARM_EMAIL: Final = "DEPUTIES_LAKE_ALARM_EMAIL"
BUDGET_USD: Final = "DEPUTIES_LAKE_BUDGET_USD"
CPF_KEY: Final = "DEPUTIES_LAKE_CPF_KEY"
ENGINE: Final = "DEPUTIES_LAKE_ENGINE"
SPARK_MEMORY: Final = "DEPUTIES_LAKE_SPARK_MEMORY"
ALERT_SLACK: Final = "DEPUTIES_LAKE_ALERT_SLACK"
ALERT_WEBHOOK: Final = "DEPUTIES_LAKE_ALERT_WEBHOOK"
ALERT_EMAIL: Final = "DEPUTIES_LAKE_ALERT_EMAIL"
ALERT_SENDER: Final = "DEPUTIES_LAKE_ALERT_SENDER"
ALERT_SMTP: Final = "DEPUTIES_LAKE_ALERT_SMTP"
DAGSTER_HOME: Final = "DAGSTER_HOME"

LAKE_HOME: Final = "lake"
DEMO_HOME: Final = "demo_lake"
"""The local lake's directory where none is set, and that of the demo's, which is of invented data."""

VARIABLES: Final[Mapping[str, str]] = {
    ENVIRONMENT: "local, staging or prod; local unless set",
    HOME: "local: the directory of the lake; ./lake unless set; while there is none, the demo's ./demo_lake",
    LANDING: "directory or s3:// prefix in which the CSV files arrive; <lake>/landing unless set",
    CHAMBER_URL: "where the House publishes its files, or none to put them there by hand; the House's site unless set",
    REBUILD: "all: compute what was asked for even where neither its input nor the code has changed since",
    KEEP_DAYS: "for how many days a replaced version of a table can still be read, as `diff` does; 90 unless set",
    ACCOUNT: "staging, prod: the AWS account, 12 digits; nothing is made or removed in any other, nor without it",
    REGION: "staging, prod: the AWS region; sa-east-1 unless set",
    ENDPOINT: "staging, prod: where an emulated AWS listens; AWS itself unless set",
    BUCKETS: "staging, prod: what the buckets' names begin with; deputies-lake-<environment>-<account> unless set",
    OWNER: "staging, prod: whom to ask about a cluster, as its tag; data-platform unless set",
    SUBNETS: "staging, prod: ids of the subnets for clusters, with commas; the default VPC's unless set",
    MAX_UNITS: "staging, prod: vCPUs that a cluster's workers never exceed; 16 in staging, 64 in prod unless set",
    POLL_SECONDS: "staging, prod: how often a run asks EMR about its step; 15 unless set",
    ALARM_EMAIL: "staging, prod: whom AWS itself writes to when Dagster is silent or the month costs too much; nobody "
    "unless set",
    BUDGET_USD: "staging, prod: what the account may cost in a month, in USD, before that is told; 200 unless set",
    CPF_KEY: "local: the secret that hides the tax ids of private persons; elsewhere it is in Secrets Manager",
    ENGINE: "local: what computes the tables, spark or sail (see docs/engines.md); spark unless set",
    SPARK_MEMORY: "local: heap of the Spark driver, or what Sail holds of rows; 1g unless set",
    ALERT_SLACK: "a secret: the address of a Slack channel's incoming webhook, for alerts; none unless set",
    ALERT_WEBHOOK: "a secret: an address that takes alerts as JSON; none unless set",
    ALERT_EMAIL: "e-mail addresses for alerts, with commas; none unless set",
    ALERT_SENDER: "whom e-mail alerts come from; the first address of those they go to unless set",
    ALERT_SMTP: "a secret: who sends e-mail, smtps://user:password@host or, with STARTTLS, smtp://user:password@host",
}

SECRETS: Final = frozenset({CPF_KEY, ALERT_SLACK, ALERT_WEBHOOK, ALERT_SMTP})
"""The variables whose values nobody is to read: not in a log, not on a screen."""

# What a cluster must know to come to the same settings. The environment itself is always told.
_FORWARDED: Final = (
    LANDING,
    CHAMBER_URL,
    REBUILD,
    KEEP_DAYS,
    ACCOUNT,
    REGION,
    BUCKETS,
    OWNER,
    SUBNETS,
    MAX_UNITS,
    POLL_SECONDS,
)


@dataclass(frozen=True, kw_only=True)
class ClusterSettings:
    """What a cluster is made of, and when it and its steps end. Capacities are units of one vCPU.

    The core fleet is on demand: it holds what a job can't lose. The rest, up to `max_units` in all, is spot.
    """

    core_units: int
    max_units: int
    subnets: tuple[str, ...]
    release_label: str = "emr-7.13.0"
    # All of the same shape, so that one Spark configuration fits whichever EC2 has to give.
    instance_types: tuple[str, ...] = ("m6i.xlarge", "m5.xlarge", "m6a.xlarge", "m5a.xlarge")
    units_per_instance: int = 4
    step_concurrency: int = 4
    idle_minutes: int = 20
    lifetime_hours: int = 12
    # Less than a run may take (infrastructure/dagster.yaml): the step says why it ended.
    step_hours: float = 5


@dataclass(frozen=True, kw_only=True)
class AwsSettings:
    """An environment's place in AWS. `stack` names the CloudFormation stack, the EMR security configuration and the
    Athena workgroup, and what else is made begins with it. boto3 finds `endpoint` by itself, Arrow does not.

    `buckets` is what the buckets' names begin with, `database_prefix` what those of the Glue databases do, one for
    each layer; `cpf_secret` is the name of a Secrets Manager secret. `alarm_email` is None where AWS tells nobody.
    """

    environment: Environment
    account: str | None
    region: str
    endpoint: str | None
    stack: str
    buckets: str
    database_prefix: str
    cpf_secret: str
    owner: str
    cluster: ClusterSettings
    poll_seconds: float
    alarm_email: str | None
    budget_usd: float
    patience_seconds: float = 900.0

    @property
    def ownership(self) -> Mapping[str, str]:
        """The tags that make a stack or a cluster ours. Nothing is done to what lacks either; policies rely on them."""
        return {"project": "deputies_lake", "environment": self.environment.value}

    @property
    def landing_bucket(self) -> str:
        return f"{self.buckets}-landing"

    @property
    def raw_bucket(self) -> str:
        return f"{self.buckets}-raw"

    @property
    def lake_bucket(self) -> str:
        return f"{self.buckets}-lake"

    @property
    def artifacts_bucket(self) -> str:
        """Code, environments, and what a run and its steps on the cluster tell each other."""
        return f"{self.buckets}-artifacts"

    @property
    def logs_bucket(self) -> str:
        return f"{self.buckets}-logs"

    @property
    def emr_service_role(self) -> str:
        """What EMR itself may do: start and end the machines of our clusters."""
        return f"{self.stack}-emr"

    @property
    def emr_instance_profile(self) -> str:
        """What steps may do on the machines of a cluster; also the name of its role."""
        return f"{self.stack}-emr-instance"

    @property
    def dagster_role(self) -> str:
        """What the machine may do on which Dagster runs."""
        return f"{self.stack}-dagster"

    @property
    def reader_role(self) -> str:
        """Analysts: star and what is served from it."""
        return f"{self.stack}-reader"


@dataclass(frozen=True, kw_only=True)
class AlertSettings:
    """Where alerts go besides the log; nowhere unless set. What is not shown is secret."""

    slack: str | None = field(default=None, repr=False)
    webhook: str | None = field(default=None, repr=False)
    smtp: str | None = field(default=None, repr=False)
    email: tuple[str, ...] = ()
    sender: str = ""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that differs between environments, resolved.

    `warehouse`, `archive`, `landing` and `published`, where files for readers go, are S3 URIs or absolute paths; `home`
    is the local lake's directory, `aws` is there where the lake is in AWS. `chamber_url` is None where nothing is
    fetched, `rebuild` where what has not changed is computed all the same, `keep_days` for how long replaced versions
    stay. `engine` computes the tables; `spark_of_one_year` is what of `spark` differs in a run of a single year.
    `variables`, set elsewhere, give the same settings there; no secret is in them.
    """

    environment: Environment
    home: str | None
    warehouse: str
    archive: str
    landing: str
    published: str
    chamber_url: str | None
    rebuild: bool
    keep_days: int
    engine: Engine
    spark: Mapping[str, str]
    spark_of_one_year: Mapping[str, str]
    variables: Mapping[str, str]
    aws: AwsSettings | None
    alerts: AlertSettings
    cpf_key: str | None = field(repr=False)


# Dates are computed from text and carry no time zone; UTC keeps Spark from shifting those that pass through one.
# Parquet's old INT96 timestamps are refused by Iceberg. Neither may differ between environments.
_SPARK: Final[Mapping[str, str]] = {
    "spark.app.name": "deputies_lake",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.parquet.fieldId.read.enabled": "true",
    "spark.sql.ansi.enabled": "false",
    # Tables that are written at once share the cores, or the small ones wait until the largest is done. Spark warns
    # that no file names its pools: it makes them as they are asked for.
    "spark.scheduler.mode": "FAIR",
}

# Spark's own defaults print a page of warnings that a laptop always causes.
_LOG4J: Final = f'"-Dlog4j2.configurationFile={Path(__file__).parent / "resources" / "log4j2.properties"}"'

# Throughput counts here, pauses do not. Spark's generated methods may pass the size (8000 bytecodes) from which the JVM
# would only interpret them, which is slower tenfold.
_LOCAL_JAVA: Final = f"-XX:+UseParallelGC -XX:-DontCompileHugeMethods {_LOG4J}"

_LOCAL_SPARK: Final[Mapping[str, str]] = {
    "spark.master": "local[*]",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    # A laptop has few cores: 200 shuffle partitions, Spark's default, cost more than the work in them.
    "spark.sql.shuffle.partitions": "4",
    # Pieces of a table small enough that no core waits long for the other's last one. Still smaller ones take longer
    # where a single year is read.
    "spark.sql.files.maxPartitionBytes": "8m",
    # Rows of several years in one task go to as many files at once, instead of being sorted by year first.
    "spark.sql.maxConcurrentOutputFileWriters": "16",
    # Above 32 files Spark starts a job to list them, which takes longer than listing them.
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "1000",
    "spark.driver.extraJavaOptions": _LOCAL_JAVA,
}

# A year's receipts are read before the JVM's second compiler is done with the code that reads them: without it the run
# needs a fifth less of the processor. Two years take as long either way, all of them a tenth longer.
_LOCAL_SPARK_OF_ONE_YEAR: Final[Mapping[str, str]] = {
    "spark.driver.extraJavaOptions": f"{_LOCAL_JAVA} -XX:TieredStopAtLevel=1",
}

_CLUSTER_SPARK: Final[Mapping[str, str]] = {
    # Size decides the number of files, not the number of cores.
    "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
    "spark.sql.adaptive.advisoryPartitionSizeInBytes": "128m",
}

# Of the core fleet, and of all fleets together.
_UNITS: Final = {Environment.STAGING: (4, 16), Environment.PROD: (8, 64)}

_LEAST_MEMORY_MIB: Final = 512

_HOUSE: Final = "https://www.camara.leg.br/cotas"

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
    home = Path(given.get(HOME) or _default_home()).expanduser().absolute()
    landing = given.get(LANDING) or str(home / "landing")
    if "://" not in landing:
        landing = str(Path(landing).expanduser().absolute())
    return Settings(
        environment=Environment.LOCAL,
        home=str(home),
        warehouse=str(home / "warehouse"),
        archive=str(home / "archive"),
        landing=landing,
        published=str(home / "published"),
        chamber_url=_chamber_url(given),
        rebuild=_rebuild(given),
        keep_days=int(_number(given, KEEP_DAYS, 90, least=1)),
        engine=_engine(given, *Engine),
        spark={**_SPARK, **_LOCAL_SPARK, "spark.driver.memory": _memory(given)},
        spark_of_one_year=_LOCAL_SPARK_OF_ONE_YEAR,
        variables={ENVIRONMENT: Environment.LOCAL.value},
        aws=None,
        alerts=_alerts(given),
        cpf_key=given.get(CPF_KEY) or _LOCAL_CPF_KEY,
    )


def _memory(given: Mapping[str, str]) -> str:
    """With less than 450 MiB Spark does not start; a number without a unit Java takes for bytes."""
    text = (given.get(SPARK_MEMORY) or "1g").lower()
    found = re.fullmatch("([0-9]+)(m|g)b?", text)
    size = int(found[1]) * (1024 if found[2] == "g" else 1) if found else 0
    if not found or size < _LEAST_MEMORY_MIB:
        raise SettingsError(
            f"{SPARK_MEMORY}={text!r} makes no sense: set it to {_LEAST_MEMORY_MIB}m or more, such as 2g"
        )
    # Java would end with a report of its own in the present folder.
    if size > (machine := _memory_of_machine()):
        raise SettingsError(f"{SPARK_MEMORY}={text!r} is more than this machine has, {machine}m: set it to less")
    return f"{found[1]}{found[2]}"


def _memory_of_machine() -> float:
    """In MiB; without an end where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    except (AttributeError, ValueError, OSError):
        return math.inf


def _default_home() -> str:
    """So that what one types after a first demo is about its lake, and after the first real file about real data."""
    return DEMO_HOME if Path(DEMO_HOME).is_dir() and not Path(LAKE_HOME).is_dir() else LAKE_HOME


def _aws(environment: Environment, given: Mapping[str, str]) -> Settings:
    account = given.get(ACCOUNT) or None
    if account and not re.fullmatch("[0-9]{12}", account):
        raise SettingsError(f"{ACCOUNT}={account!r} is no AWS account: it has 12 digits")
    name = f"deputies-lake-{environment}"
    buckets = given.get(BUCKETS) or (f"{name}-{account}" if account else name)
    core_units, max_units = _UNITS[environment]
    aws = AwsSettings(
        environment=environment,
        account=account,
        region=given.get(REGION) or "sa-east-1",
        endpoint=given.get(ENDPOINT) or None,
        stack=name,
        buckets=buckets,
        database_prefix=f"deputies_lake_{environment}_",
        cpf_secret=f"{name}/cpf-key",
        owner=given.get(OWNER) or "data-platform",
        cluster=ClusterSettings(
            core_units=core_units,
            max_units=int(_number(given, MAX_UNITS, max_units, least=core_units)),
            subnets=tuple(filter(None, given.get(SUBNETS, "").replace(" ", "").split(","))),
        ),
        poll_seconds=_number(given, POLL_SECONDS, 15, least=0.1),
        alarm_email=given.get(ALARM_EMAIL) or None,
        budget_usd=_number(given, BUDGET_USD, 200, least=1),
    )
    return Settings(
        environment=environment,
        home=None,
        warehouse=f"s3://{aws.lake_bucket}",
        archive=f"s3://{aws.raw_bucket}/archive",
        landing=given.get(LANDING) or f"s3://{aws.landing_bucket}",
        published=f"s3://{aws.lake_bucket}/published",
        chamber_url=_chamber_url(given),
        rebuild=_rebuild(given),
        keep_days=int(_number(given, KEEP_DAYS, 90, least=1)),
        # A laptop holds what Sail can compute, a cluster is there for what it can't.
        engine=_engine(given, Engine.SPARK),
        spark={**_SPARK, **_CLUSTER_SPARK},
        spark_of_one_year={},
        variables={
            ENVIRONMENT: environment.value,
            **{variable: given[variable] for variable in _FORWARDED if given.get(variable)},
        },
        aws=aws,
        alerts=_alerts(given),
        cpf_key=None,
    )


def _chamber_url(given: Mapping[str, str]) -> str | None:
    url = given.get(CHAMBER_URL) or _HOUSE
    if url == "none":
        return None
    if not url.startswith(("https://", "http://")):
        raise SettingsError(f"{CHAMBER_URL}={url!r} is no address: let it begin with https://, or set it to none")
    return url.rstrip("/")


def _alerts(given: Mapping[str, str]) -> AlertSettings:
    email = tuple(filter(None, given.get(ALERT_EMAIL, "").replace(" ", "").split(",")))
    if email and not given.get(ALERT_SMTP):
        raise SettingsError(f"{ALERT_EMAIL} is set, but not who sends e-mail: set {ALERT_SMTP}, too")
    return AlertSettings(
        slack=_address(given, ALERT_SLACK, "https", "http"),
        webhook=_address(given, ALERT_WEBHOOK, "https", "http"),
        smtp=_address(given, ALERT_SMTP, "smtps", "smtp"),
        email=email,
        sender=given.get(ALERT_SENDER) or next(iter(email), ""),
    )


def _address(given: Mapping[str, str], variable: str, *schemes: str) -> str | None:
    """The address itself is secret, so it is not repeated where it is wrong."""
    address = given.get(variable) or None
    if address and not (address.startswith(tuple(f"{scheme}://" for scheme in schemes)) and urlsplit(address).hostname):
        raise SettingsError(f"{variable} is no address: let it begin with {schemes[0]}://, or leave it unset")
    return address


def _engine(given: Mapping[str, str], *offered: Engine) -> Engine:
    name = given.get(ENGINE) or Engine.SPARK.value
    if name not in {engine.value for engine in offered}:
        raise SettingsError(f"{ENGINE}={name!r} computes nothing here; set it to one of: {', '.join(offered)}")
    return Engine(name)


def _rebuild(given: Mapping[str, str]) -> bool:
    text = given.get(REBUILD, "")
    if text not in {"", "all"}:
        raise SettingsError(f"{REBUILD}={text!r} makes no sense: set it to all, or not at all")
    return bool(text)


def _number(given: Mapping[str, str], variable: str, default: float, *, least: float) -> float:
    text = given.get(variable)
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = least - 1
    if not least <= number < math.inf:
        raise SettingsError(f"{variable}={text!r} makes no sense: set it to a number from {least:g}")
    return number


def prepare_sail(memory: str) -> None:
    """Have Sail log what fails and nothing else, and hold at most so much of rows, written as Spark does: `1g`.

    Beyond that it spills to disk what it groups and sorts. What a person has set for Sail stays.
    """
    size = int(memory[:-1]) << 10 * (" kmgt".index(memory[-1].lower()))
    for variable, value in {
        "RUST_LOG": "error",
        "SAIL_RUNTIME__MEMORY_POOL__TYPE": "fair",
        "SAIL_RUNTIME__MEMORY_POOL__FAIR__MAX_SIZE": str(size),
    }.items():
        os.environ.setdefault(variable, value)


def use_landing(directory: Path) -> None:
    """Take files from `directory` from now on, in this process and those it starts."""
    os.environ[LANDING] = str(directory.absolute())


def use_home_unless_set(home: str) -> None:
    """Have the local lake there from now on, in this process and those it starts, where no variable says otherwise."""
    if not os.environ.get(HOME):
        os.environ[HOME] = str(Path(home).absolute())


def fetch_nothing() -> None:
    """Take the House's files as they lie in the landing zone from now on, in this process and those it starts."""
    os.environ[CHAMBER_URL] = "none"


def values(variables: Iterable[str]) -> Mapping[str, str]:
    """Those of these variables that are set. What is secret comes as it is: show it to nobody."""
    return {variable: value for variable in variables if (value := os.environ.get(variable))}


def provide_dagster_home() -> Path:
    """Where Dagster keeps its runs: the directory that is set, else one inside the local lake, made if missing.

    That one is given the instance's configuration, `automation/laptop.yaml`, anew each time, unless a person has taken
    it over.
    """
    own = Path(load_settings(Environment.LOCAL).home or ".") / "dagster"
    home = Path(os.environ.get(DAGSTER_HOME) or own)
    if home.absolute() == own:
        home.mkdir(parents=True, exist_ok=True)
        shipped = (Path(__file__).parent / "automation" / "laptop.yaml").read_text(encoding="utf-8")
        configuration = home / "dagster.yaml"
        if not configuration.exists() or configuration.read_text(encoding="utf-8").startswith(shipped.splitlines()[0]):
            configuration.write_text(shipped, encoding="utf-8")
    os.environ[DAGSTER_HOME] = str(home)
    return home
