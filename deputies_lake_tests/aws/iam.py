"""IAM, enforced: what a role calls for is judged by the policies that the stack gave it, and by those of the buckets.

moto's own enforcement knows no conditions, and resources of S3 only. Judged are callers that are a role: whoever signs
with a key that is named as one, and the steps of a cluster, which have its instance profile's role. All others are
administrators, who are only told no by a bucket's policy. How a decision is made is in `infrastructure/policies.py`;
which actions a call needs, on what, is here, as AWS's Service Authorization Reference has it.
"""

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, unquote
from xml.etree import ElementTree as ET

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.emr.models import emr_backends
from moto.iam.models import iam_backends
from moto.secretsmanager.models import secretsmanager_backends

from deputies_lake_tests.infrastructure.moto_gaps import bucket_policies
from deputies_lake_tests.infrastructure.policies import Context, Document, allows, denies

_ACCOUNT: Final = DEFAULT_ACCOUNT_ID
_EVERYBODY: Final = ("*", {"AWS": "*"})
# Calls are made over HTTP here, where nobody listens.
_TLS: Final = {"aws:SecureTransport": "true"}
_OPERATORS: Final[Mapping[str, str]] = {"host": "staging", "test": "staging"}
"""Of which environment a caller's tag makes it an operator: the engineer at the terminal, and whoever watches."""

_ON_KEYS: Final[Mapping[str, str]] = {
    "HeadObject": "GetObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "ListParts": "ListMultipartUploadParts",
}
_ON_BUCKETS: Final[Mapping[str, str]] = {
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "GetBucketLocation": "GetBucketLocation",
}


@dataclass(frozen=True)
class Need:
    """A right that a call needs."""

    action: str
    resource: str = "*"
    context: Context | None = None

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}"


def refusal(environ: dict[str, Any], operation: str, caller: str) -> str | None:
    """Why a call is denied; None where it is not. `operation` is as in "s3:GetObject"."""
    if operation == "sts:GetCallerIdentity":
        return None
    role = _role_of(caller)
    request = _Request(environ)
    for need in _needs(operation, request):
        context = {**_TLS, **_principal(caller, role), **(need.context or {})}
        if need.action.startswith("s3:") and denies(_bucket_policy(need.resource), need.action, need.resource, context):
            return f"{role or caller} is not authorized to perform {need}: the bucket's policy denies it"
        if role and not allows(_policies(role), need.action, need.resource, context):
            return f"{role} is not authorized to perform {need}"
    return None


def hides_what_is_missing(environ: dict[str, Any], operation: str, caller: str) -> bool:
    """Whether S3 tells a caller that it may not read an object instead of that it isn't there: it may not list."""
    role = _role_of(caller)
    if operation not in ("s3:GetObject", "s3:HeadObject") or role is None:
        return False
    bucket, _ = _Request(environ).place
    return not allows(_policies(role), "s3:ListBucket", f"arn:aws:s3:::{bucket}", _TLS)


# Who calls, and what it may do


def _role_of(caller: str) -> str | None:
    """The name of the caller's role. That of a profile without one has no rights, and no name that says more."""
    iam = iam_backends[_ACCOUNT]["aws"]
    for backend in emr_backends[_ACCOUNT].values():
        if cluster := backend.clusters.get(caller):
            profiles = [found for found in iam.instance_profiles.values() if found.name == cluster.role]
            return next((role.name for profile in profiles for role in profile.roles), caller)
    return caller if caller in {role.name for role in iam.roles.values()} else None


def _principal(caller: str, role: str | None) -> Context:
    tags = {"aws:PrincipalTag/deputies_lake_operator": _OPERATORS[caller]} if caller in _OPERATORS else {}
    return {"aws:PrincipalArn": _arn_of(role or caller), **tags}


def _arn_of(name: str) -> str:
    return f"arn:aws:iam::{_ACCOUNT}:role/{name}"


def _policies(role: str) -> list[Document]:
    found = [candidate for candidate in iam_backends[_ACCOUNT]["aws"].roles.values() if candidate.name == role]
    return [json.loads(unquote(text)) for candidate in found for text in candidate.policies.values()]


def _bucket_policy(resource: str) -> list[Document]:
    """Its denials: what it allows is for services."""
    policy = bucket_policies(_ACCOUNT).get(resource.removeprefix("arn:aws:s3:::").partition("/")[0])
    if policy is None:
        return []
    return [{"Statement": [statement for statement in policy["Statement"] if statement["Principal"] in _EVERYBODY]}]


# What a call needs


class _Request:
    """A call as it was sent. Its body can be read again by whoever comes next."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self._environ = environ

    @property
    def body(self) -> bytes:
        content: bytes = self._environ["wsgi.input"].read(int(self._environ.get("CONTENT_LENGTH") or 0))
        self._environ["wsgi.input"] = io.BytesIO(content)
        return content

    @property
    def json(self) -> Any:
        return json.loads(self.body or b"{}")

    @property
    def region(self) -> str:
        return str(self._environ["HTTP_AUTHORIZATION"].split("Credential=")[1].split("/")[2])

    @property
    def place(self) -> tuple[str, str]:
        """Bucket and key."""
        bucket, _, key = self._environ["PATH_INFO"].lstrip("/").partition("/")
        return bucket, key

    @property
    def query(self) -> Mapping[str, str]:
        found = parse_qs(self._environ.get("QUERY_STRING", ""), keep_blank_values=True)
        return {name: values[0] for name, values in found.items()}

    def header(self, name: str) -> str:
        return unquote(self._environ.get(f"HTTP_{name}", ""))


def _needs(operation: str, request: _Request) -> Iterator[Need]:
    service, _, name = operation.partition(":")
    match service:
        case "s3":
            yield from _of_s3(name, request)
        case "emr":
            yield from _of_emr(name, request)
        case "glue":
            yield from _of_glue(name, request)
        case "secretsmanager":
            secrets = secretsmanager_backends[_ACCOUNT][request.region].secrets
            # A list of secrets names none.
            wanted = request.json.get("SecretId", "*")
            arns = [secret.arn for secret in secrets.values() if wanted in (secret.name, secret.arn)]
            yield Need(operation, arns[0] if arns else wanted)
        case _:
            yield Need(operation)


def _of_s3(name: str, request: _Request) -> Iterator[Need]:
    bucket, key = request.place
    whole = f"arn:aws:s3:::{bucket}"
    if name in _ON_BUCKETS:
        prefix = request.query.get("prefix")
        yield Need(f"s3:{_ON_BUCKETS[name]}", whole, None if prefix is None else {"s3:prefix": prefix})
        return
    if name == "DeleteObjects":
        for found in ET.fromstring(request.body).iter():
            if found.tag.endswith("Key"):
                yield Need("s3:DeleteObject", f"{whole}/{found.text}")
        return
    if source := request.header("X_AMZ_COPY_SOURCE"):
        yield Need("s3:GetObject", f"arn:aws:s3:::{source.lstrip('/').partition('?')[0]}")
    version = "Version" if "versionId" in request.query and name in ("GetObject", "HeadObject", "DeleteObject") else ""
    yield Need(f"s3:{_ON_KEYS.get(name, name)}{version}", f"{whole}/{key}" if key else whole)


def _of_emr(name: str, request: _Request) -> Iterator[Need]:
    given, action = request.json, f"elasticmapreduce:{name}"
    ours = f"arn:aws:elasticmapreduce:{request.region}:{_ACCOUNT}:cluster"
    if name == "RunJobFlow":
        tags = {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in given.get("Tags", ())}
        yield Need(action, context=tags)
        # The cluster has no tags yet when these are asked for.
        if tags:
            yield Need("elasticmapreduce:AddTags", f"{ours}/*", tags)
        for policy in ("AutoTerminationPolicy", "ManagedScalingPolicy"):
            if policy in given:
                yield Need(f"elasticmapreduce:Put{policy}", f"{ours}/*")
        for role, service in (("ServiceRole", "elasticmapreduce"), ("JobFlowRole", "ec2")):
            if role in given:
                yield Need("iam:PassRole", _arn_of(given[role]), {"iam:PassedToService": f"{service}.amazonaws.com"})
        return
    named = given.get("JobFlowIds") or [given.get("ClusterId") or given.get("JobFlowId") or given.get("ResourceId")]
    clusters = emr_backends[_ACCOUNT][request.region].clusters
    for cluster_id in named:
        found = clusters[cluster_id].tags if cluster_id in clusters else []
        context = {f"aws:ResourceTag/{tag['Key']}": tag["Value"] for tag in found}
        yield Need(action, f"{ours}/{cluster_id}", context) if cluster_id else Need(action)


def _of_glue(name: str, request: _Request) -> Iterator[Need]:
    given, action = request.json, f"glue:{name}"
    place = f"arn:aws:glue:{request.region}:{_ACCOUNT}"
    yield Need(action, f"{place}:catalog")
    about_tables = "Table" in name
    database = given.get("DatabaseName") or given.get("DatabaseInput", {}).get("Name")
    if database is None and not about_tables:
        database = given.get("Name")
    if database is not None:
        yield Need(action, f"{place}:database/{database}")
    if about_tables:
        table = given.get("TableInput", {}).get("Name") or given.get("Name") or "*"
        yield Need(action, f"{place}:table/{database}/{table}")
