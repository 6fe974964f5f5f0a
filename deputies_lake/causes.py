"""Why something failed, in the words that a person can act on: of an exception, and of a Dagster event.

Dagster wraps what a step raised, in "Exceeded max_retries of 2" for one. What is wrong stands beneath.
"""

import errno
import re
import shutil
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import dagster as dg
    from dagster_shared.error import SerializableErrorInfo

NOT_SAID: Final = "Dagster does not say why"

# Errors that only say that there was another one.
_WRAPPERS: Final = ("Dagster", "RetryRequested")

# An error of a package says what it is about; Python's own do so with their name.
_OF_A_PACKAGE: Final = re.compile(r"^(?:\w+\.)+\w+: ")

# Java, Arrow and SQLite say it in words.
_DISK_FULL: Final = ("No space left on device", "database or disk is full", "Disk quota exceeded")


# Of botocore, which a laptop's lake never imports: nobody is known who could ask.
_WITHOUT_CREDENTIALS: Final = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "ProfileNotFound",
    "SSOTokenLoadError",
    "TokenRetrievalError",
    "UnauthorizedSSOTokenError",
)


def told(error: BaseException) -> str | None:
    """What a person can mend about an error, as a sentence; None of those that are this program's own fault.

    Repeating what failed for such a reason is in vain.
    """
    # These say what is wrong themselves. Their modules are asked only when something failed.
    from deputies_lake.environments import SettingsError
    from deputies_lake.lakehouse.damage import DamagedTableError
    from deputies_lake.lakehouse.lake import MissingTableError, OutdatedTableError
    from deputies_lake.lakehouse.local_home import LakeError
    from deputies_lake.raw.published_csv import RawFileError

    if isinstance(
        error, DamagedTableError | LakeError | MissingTableError | OutdatedTableError | RawFileError | SettingsError
    ):
        return str(error)
    return _of_a_full_disk(error) or _of_permission(error) or _of_credentials(error) or _of_local_java(error)


def of_event(event: "dg.DagsterEvent | None") -> str:
    """Why a step, or a run as a whole, failed."""
    if event is None:
        return NOT_SAID
    if event.is_step_failure:
        failure = event.step_failure_data
        if failure.user_failure_data and failure.user_failure_data.description:
            return str(failure.user_failure_data.description)
        return _of(failure.error) or NOT_SAID
    data = event.event_specific_data
    return _of(getattr(data, "error", None)) or event.message or NOT_SAID


def _of(error: "SerializableErrorInfo | None") -> str:
    """Of the error beneath Dagster's own. What that one was raised from is for those who read tracebacks."""
    while error and error.cause and (error.cls_name or "").startswith(_WRAPPERS):
        error = error.cause
    return _OF_A_PACKAGE.sub("", error.message.strip()) if error else ""


def _of_a_full_disk(error: BaseException) -> str | None:
    is_full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if not is_full and not any(words in str(error) for words in _DISK_FULL):
        return None
    place = _place(error) or f": {_fullest()}"
    return (
        f"the disk is full{place}. Make room on it, or take the lake's folder to a larger one (deputies-lake "
        "relocate), and run it again; what was published stays as it was"
    )


def _fullest() -> Path:
    """Of the folders that are written to, the one whose disk has least room: not every error names a path."""
    from deputies_lake.environments import DAGSTER_HOME, Environment, load_settings, values

    lake = load_settings(Environment.LOCAL).home or "."
    folders = [Path(lake), Path(values([DAGSTER_HOME]).get(DAGSTER_HOME, lake)), Path(tempfile.gettempdir())]
    there = [next(folder for folder in (one, *one.absolute().parents) if folder.exists()) for one in folders]
    return min(there, key=lambda folder: shutil.disk_usage(folder).free)


def _of_permission(error: BaseException) -> str | None:
    if not isinstance(error, PermissionError):
        return None
    return f"a file may not be read or written by this user{_place(error)}. Allow it, and run it again"


def _of_credentials(error: BaseException) -> str | None:
    is_refused = isinstance(error, OSError) and "AWS Error ACCESS_DENIED" in str(error)
    is_unknown = type(error).__module__ == "botocore.exceptions" and type(error).__name__ in _WITHOUT_CREDENTIALS
    if is_refused:
        return f"AWS does not allow it: {error}. aws sts get-caller-identity says who you are"
    if not is_unknown:
        return None
    return (
        f"AWS was not asked: {str(error).rstrip('.')}. Log in (aws sso login), or name a profile in AWS_PROFILE; "
        "aws sts get-caller-identity says who you are"
    )


def _place(error: BaseException) -> str:
    """The first path that an error names."""
    found = re.search(r"(?:^|['\"\s:])(/[^'\":(\n]+)", f"{getattr(error, 'filename', None) or ''}\n{error}")
    return f": {found[1].strip()}" if found else ""


def _of_local_java(error: BaseException) -> str | None:
    """Of the Java that Spark has on this machine. What a cluster lacked is another matter: there is another machine."""
    from deputies_lake.environments import ENGINE, SPARK_MEMORY, Engine
    from deputies_lake.java import started_by_spark

    is_refused = isinstance(error, ConnectionRefusedError) and _was_raised_by_py4j(error)
    if started_by_spark() or not (is_refused or type(error).__module__.startswith(("py4j.", "pyspark."))):
        return None
    without = f"or do without Java: {ENGINE}={Engine.SAIL}"
    if "JAVA_GATEWAY_EXITED" in str(error):
        return (
            "Java ended before Spark had started, and says above why. Where it lacked memory, let it have some, or set "
            f"{SPARK_MEMORY} to less; {without}"
        )
    if "java.lang.OutOfMemoryError" in str(error):
        return f"Spark had too little memory: set {SPARK_MEMORY} to more, such as 2g; {without}"
    if is_refused or type(error).__name__ == "Py4JNetworkError":
        return (
            "Spark's Java ended while it worked, for which lack of memory is the usual reason: free some on this "
            f"machine; {without}"
        )
    return None


def _was_raised_by_py4j(error: BaseException) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and Path(frames[-1].filename).parent.name == "py4j"
