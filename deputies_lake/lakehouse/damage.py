"""Damaged tables: what an error says of a lost or damaged file, and which command mends it.

How a table goes back to a version that is whole is in `local_home.py`; which files a version needs, in `iceberg.py`.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Final

REPAIR: Final = "deputies-lake repair"
"""The verb that lets a table go back to its newest version that is whole."""


class DamagedTableError(RuntimeError):
    """A file that a table needs is lost or damaged. Says which table, and the command that mends it: `remedy`."""

    def __init__(self, table: str, problem: str, remedy: str) -> None:
        super().__init__(f"{table} is damaged: {problem}. Mend it: {remedy}")
        self.table = table
        self.remedy = remedy


def lost_rows(table: str, file: str, years: Collection[int]) -> DamagedTableError:
    """A data file is lost, of these years where the table has any. `table` is `layer.name`."""
    span = f" --partition-range {min(years)}...{max(years)}" if years else ""
    remedy = f"dagster asset materialize -m deputies_lake.definitions --select {table.replace('.', '/')}{span}"
    of_years = f" of {', '.join(map(str, sorted(years)))}" if years else ""
    return DamagedTableError(table, f"a file{of_years} is lost or not whole, {file}", remedy)


@contextmanager
def reading_metadata(table: str) -> Iterator[None]:
    """Whoever reads what Iceberg wrote of a table is told so if it is lost. `table` is `layer.name`."""
    try:
        yield
    except (FileNotFoundError, EOFError, ValueError) as error:
        told = str(error).splitlines()[0].rstrip(".")
        raise DamagedTableError(table, f"its metadata can't be read ({told})", f"{REPAIR} {table}") from error
