"""A lease in S3: of all processes that want it, one has it, and no one keeps it by dying.

How it is taken, held and lost belongs here; what it protects does not.
"""

import contextlib
import socket
import time
from email.utils import parsedate_to_datetime
from typing import Any, Final
from uuid import uuid4

from deputies_lake.aws import client
from deputies_lake.environments import AwsSettings

LOST_AFTER_SECONDS: Final = 300.0
"""From then on a lease is anybody's: who held it has died."""

# Someone else was faster, or is being so at this moment, or has just given it back.
_NOT_OURS: Final = {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"}


class Lease:
    """A lease by the name of an object in the artifacts bucket. One instance is one holder.

    Methods let botocore's errors pass, unless they say otherwise.
    """

    def __init__(self, aws: AwsSettings, key: str) -> None:
        self._aws, self._key = aws, key
        self._holder = f"{socket.gethostname()} {uuid4()}".encode()
        self._etag, self._taken = "", 0.0

    def take(self) -> bool:
        """Whether it is ours now. If not, ask again later. Only one of many gets it, also when it was lost."""
        # Before the request: the holder must not count on a later time than the others do.
        self._taken = time.monotonic()
        if self._put(IfNoneMatch="*"):
            return True
        found = self._look()
        if found is None:
            return False
        etag, holder, age = found
        if holder == self._holder:
            # boto3 repeated a request of ours that had been granted.
            self._etag = etag
            return age < LOST_AFTER_SECONDS / 2
        return age > LOST_AFTER_SECONDS and self._put(IfMatch=etag)

    @property
    def is_safe(self) -> bool:
        """Whether there is time left to do what it was taken for before others think that its holder died."""
        return time.monotonic() - self._taken < LOST_AFTER_SECONDS / 2

    @property
    def is_kept(self) -> bool:
        """Whether it is ours still, or someone took it for lost."""
        found = self._look()
        return found is not None and found[1] == self._holder

    def release(self) -> None:
        """Give it back, if it is still ours. Raises nothing: what isn't given back is lost after some minutes."""
        from botocore.exceptions import BotoCoreError, ClientError

        with contextlib.suppress(BotoCoreError, ClientError):
            self._s3.delete_object(Bucket=self._aws.artifacts_bucket, Key=self._key, IfMatch=self._etag)

    @property
    def _s3(self) -> Any:
        return client("s3", self._aws)

    def _put(self, **condition: str) -> bool:
        from botocore.exceptions import ClientError

        place = {"Bucket": self._aws.artifacts_bucket, "Key": self._key}
        try:
            self._etag = self._s3.put_object(**place, Body=self._holder, **condition)["ETag"]
        except ClientError as error:
            if error.response["Error"]["Code"] in _NOT_OURS:
                return False
            raise
        return True

    def _look(self) -> tuple[str, bytes, float] | None:
        """Its ETag, who holds it, and for how many seconds, by S3's own clock."""
        s3 = self._s3
        try:
            found = s3.get_object(Bucket=self._aws.artifacts_bucket, Key=self._key)
        except s3.exceptions.NoSuchKey:
            return None
        now = parsedate_to_datetime(found["ResponseMetadata"]["HTTPHeaders"]["date"])
        return found["ETag"], found["Body"].read(), (now - found["LastModified"]).total_seconds()
