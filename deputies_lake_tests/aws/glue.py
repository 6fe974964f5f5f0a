"""Glue where moto's differs from AWS: of two who change the same table at once, one must lose.

Each function stands in for the method of the same name of moto's `GlueResponse`.
"""

import threading
from collections.abc import Callable
from typing import Any, Final

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.glue.responses import GlueResponse

_GLUE: Final = threading.Lock()
_update_table: Final[Callable[[GlueResponse], ActionResult]] = GlueResponse.update_table
_create_table: Final[Callable[[GlueResponse], Any]] = GlueResponse.create_table


def update_table(self: GlueResponse) -> ActionResult:
    """Refuses what was made from an old version of the table, the lock on which Iceberg's commits rest."""
    with _GLUE:
        expected = self.parameters.get("VersionId")
        table = self.glue_backend.get_table(self.parameters["DatabaseName"], self.parameters["TableInput"]["Name"])
        if expected is not None and expected != table.as_dict()["VersionId"]:
            raise JsonRESTError(
                "ConcurrentModificationException", "Update table failed due to concurrent modifications."
            )
        return _update_table(self)


def create_table(self: GlueResponse) -> Any:
    """Of two at once, one finds the other's."""
    with _GLUE:
        return _create_table(self)
