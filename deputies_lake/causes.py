"""Why something failed, in the words that a person can act on: of an exception, and of a Dagster event.

Dagster wraps what a step raised, in "Exceeded max_retries of 2" for one. What is wrong stands beneath.
"""

import errno
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import dagster as dg
    from dagster_shared.error import SerializableErrorInfo

NOT_SAID: Final = "Dagster does not say why"

# Errors that only say that there was another one.
_WRAPPERS: Final = ("Dagster", "RetryRequested")

# An error of a package says what it is about; Python's own do so with their name.
_OF_A_PACKAGE: Final = re.compile(r"^(?:\w+\.)+\w+: ")

_DISK_FULL: Final = "No space left on device"


def told(error: BaseException) -> str | None:
    """What a person can mend about an error, as a sentence; None of those that are this program's own fault.

    Repeating what failed for such a reason is in vain.
    """
    # Settings and lakes say what is wrong with them. Their modules are asked only when something failed.
    from deputies_lake.environments import SettingsError
    from deputies_lake.resources.local_home import LakeError

    if isinstance(error, LakeError | SettingsError):
        return str(error)
    if _is_of_a_full_disk(error):
        where = f" ({_first_line(error)})"
        return f"the disk is full{where}. Make room and run it again; what was published stays as it was"
    return None


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


def _is_of_a_full_disk(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    # Java and Arrow say it in words.
    return _DISK_FULL in str(error)


def _first_line(error: BaseException) -> str:
    return next((line for line in str(error).splitlines() if _DISK_FULL in line), str(error)).strip()[:200]
