"""What of a stack holds data, and its deletion: for good, down to the last version of the last object.

Whose the data are, and whether they may be deleted, is for `stack.py` to know.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

from deputies_lake.aws import AwsError, client
from deputies_lake.environments import AwsSettings

BUCKET: Final = "AWS::S3::Bucket"
DATABASE: Final = "AWS::Glue::Database"
SECRET: Final = "AWS::SecretsManager::Secret"  # noqa: S105
HOLDING: Final = (BUCKET, DATABASE, SECRET)

_ROUNDS: Final = 5
_MISSING: Final = ("404", "NoSuchBucket", "EntityNotFoundException", "ResourceNotFoundException")


class DeletionError(AwsError):
    """Data that can't be deleted. What went before it is gone; another call goes on where this one ended."""


class Data:
    """The buckets, databases and secrets of an account. What is gone already needs no deletion."""

    def __init__(self, aws: AwsSettings) -> None:
        self._aws = aws

    def delete(self, kind: str, name: str) -> None:
        """Delete one with all that is in it. Raises `DeletionError`."""
        if kind == SECRET:
            # Without the days of grace that AWS would give, also if they are running: its name is to be free again.
            self._secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
        elif not self.exists(kind, name):
            return
        elif kind == BUCKET:
            _delete_bucket(self._s3, name)
        else:
            self._glue.delete_database(Name=name)

    def exists(self, kind: str, name: str) -> bool:
        """Whether it is there for use: a secret in its days of grace is not."""
        if kind == BUCKET:
            return _found(self._s3, lambda: self._s3.head_bucket(Bucket=name)) is not None
        if kind == DATABASE:
            return _found(self._glue, lambda: self._glue.get_database(Name=name)) is not None
        secret = _found(self._secrets, lambda: self._secrets.describe_secret(SecretId=name))
        return secret is not None and "DeletedDate" not in secret

    @cached_property
    def _s3(self) -> Any:
        return client("s3", self._aws)

    @cached_property
    def _glue(self) -> Any:
        return client("glue", self._aws)

    @cached_property
    def _secrets(self) -> Any:
        return client("secretsmanager", self._aws)


def _found(service: Any, ask: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    try:
        return ask()
    except service.exceptions.ClientError as error:
        if error.response["Error"]["Code"] in _MISSING:
            return None
        raise


def _delete_bucket(s3: Any, name: str) -> None:
    for _ in range(_ROUNDS):
        _empty(s3, name)
        try:
            s3.delete_bucket(Bucket=name)
        except s3.exceptions.ClientError as error:
            # Someone wrote meanwhile: AWS itself delivers access logs hours late.
            if error.response["Error"]["Code"] != "BucketNotEmpty":
                raise
        else:
            return
    raise DeletionError(f"the bucket {name} fills faster than it is emptied: stop whoever writes to it, then again")


def _empty(s3: Any, bucket: str) -> None:
    """Delete each version, each mark of a deletion and each unfinished upload."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        objects = [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in versions]
        if not objects:
            continue
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        if refused := answer.get("Errors"):
            example = f"{refused[0]['Key']}: {refused[0]['Message']}"
            raise DeletionError(
                f"the bucket {bucket} has {len(refused)} objects that can't be deleted, such as {example}"
            )
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", []):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
