"""What host and driver tell each other during one attempt: files below one prefix of the artifacts bucket.

The prefix holds the attempt's number, so that a retry never reads what an earlier attempt said. Events arrive as a
pickle of one text. Nothing else is read from one: whatever could run code where Dagster runs is refused.
"""

import io
import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import ClientError
from dagster import EventLogEntry
from dagster._core.execution.plan.external_step import PICKLED_EVENTS_FILE_NAME, PICKLED_STEP_RUN_REF_FILE_NAME
from dagster._serdes import deserialize_value

from deputies_lake.aws import AwsError, client
from deputies_lake.emr.step_main import BUSY_MARK, REPORT
from deputies_lake.environments import AwsSettings

MAIN: Final = "step_main.py"

_NOT_MODIFIED: Final = "304"
_MISSING: Final = "NoSuchKey"


class ForeignEventsError(AwsError):
    """What lies where the driver writes its events is not what drivers write."""


class _TextOnly(pickle.Unpickler):
    """Reads text, numbers and the like: what names a class or a function would call it."""

    def find_class(self, module: str, name: str, /) -> Any:
        raise pickle.UnpicklingError(f"it names {module}.{name}")


@dataclass(kw_only=True)
class Attempt:
    """The files of one attempt at a step. AWS's errors are the caller's business, as in `Patience`."""

    aws: AwsSettings
    prefix: str
    _etag: str = field(default="", init=False)
    _seen: int = field(default=0, init=False)

    @property
    def arguments(self) -> list[str]:
        """What spark-submit runs, and what that is told: where the step is, and where to say that it is at work."""
        bucket = self.aws.artifacts_bucket
        step = f"{self.prefix}/{PICKLED_STEP_RUN_REF_FILE_NAME}"
        return [f"s3://{bucket}/{self.prefix}/{MAIN}", bucket, step, BUSY_MARK]

    def send(self, files: Mapping[str, bytes]) -> None:
        """Put files, by name, where the driver finds them."""
        s3 = client("s3", self.aws)
        for name, content in files.items():
            s3.put_object(Bucket=self.aws.artifacts_bucket, Key=f"{self.prefix}/{name}", Body=content)

    def new_events(self) -> Sequence[EventLogEntry]:
        """What the driver said since the last call. It rewrites its file as a whole; unchanged, it isn't read again.

        Raises `ForeignEventsError` for anything but text.
        """
        known = {"IfNoneMatch": self._etag} if self._etag else {}
        found = self._get(PICKLED_EVENTS_FILE_NAME, **known)
        if found is None:
            return []
        content, self._etag = found
        events = deserialize_value(self._text(content), list)
        new: Sequence[EventLogEntry] = events[self._seen :]
        self._seen = len(events)
        return new

    def _text(self, content: bytes) -> str:
        try:
            found = _TextOnly(io.BytesIO(content)).load()
            problem = "" if isinstance(found, str) else f"it is a {type(found).__name__}"
        except Exception as error:  # noqa: BLE001 - a pickle fails in many ways
            problem = str(error)
        if problem:
            place = f"s3://{self.aws.artifacts_bucket}/{self.prefix}/{PICKLED_EVENTS_FILE_NAME}"
            raise ForeignEventsError(
                f"{place} holds something else than the text that drivers write ({problem}); nothing of it was run. "
                f"Find out who wrote it: the access logs are in s3://{self.aws.logs_bucket}/access/artifacts/"
            )
        return str(found)

    def report(self) -> Mapping[str, Any]:
        """Why the driver ran no step, as `step_main.py` wrote it; empty if it did not come to that."""
        found = self._get(REPORT)
        report: Mapping[str, Any] = json.loads(found[0]) if found else {}
        return report

    def _get(self, name: str, **known: str) -> tuple[bytes, str] | None:
        try:
            answer = client("s3", self.aws).get_object(
                Bucket=self.aws.artifacts_bucket, Key=f"{self.prefix}/{name}", **known
            )
            return answer["Body"].read(), answer["ETag"]
        except ClientError as error:
            if error.response["Error"]["Code"] in {_NOT_MODIFIED, _MISSING}:
                return None
            raise
