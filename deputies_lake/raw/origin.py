"""Real data or invented: of a published file, and of the lake that was made from such files. The two are never mixed.

`deputies-lake sample` gives every company a branch number from 9000, which no company uses. So a file tells by itself
what it is, however it was copied, renamed or packed. That a lake is of invented data, each publication of raw keeps.
"""

import csv
import gzip
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import IO, Any, Final

import pyarrow as pa

from deputies_lake.environments import DEMO_HOME, HOME
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.quota_years import FIRST_YEAR, current_year
from deputies_lake.raw import chamber_expenses, kaggle_refunds, kaggle_reimbursements, zipped
from deputies_lake.raw.archive import LandedFile, LandingZone
from deputies_lake.raw.published_csv import PublishedCsv, RawFileError

FIRST_INVENTED_BRANCH: Final = 9000

_HEAD_BYTES: Final = 1 << 18
_FEWEST_COMPANIES: Final = 3
"""Fewer say nothing."""

# A CNPJ is 8 digits of a company, 4 of its branch, 2 to check them; a CPF has 11 digits.
_LARGEST_CPF: Final = 10**11
_CHECK_DIGITS: Final = 100
_BRANCHES: Final = 10_000

_TABLES: Final = (chamber_expenses.TABLE, kaggle_reimbursements.TABLE, kaggle_refunds.TABLE)
_COMPANIES: Final[Mapping[str, str]] = {
    chamber_expenses.CSV.source_code: "txtCNPJCPF",
    kaggle_reimbursements.CSV.source_code: "receipt_social_security_number",
    kaggle_refunds.CSV.source_code: "company_id",
}


def is_invented_lake(lake: Lake) -> bool | None:
    """Whether the lake's rows are invented; None where it has none of any source yet."""
    filled = [table for table in _TABLES if lake.years(table)]
    return any(lake.is_invented(table) for table in filled) if filled else None


def origins(zone: LandingZone) -> Mapping[str, bool | None]:
    """The publishers' files in a landing zone by their names, and whether each is invented, as `is_invented` tells."""
    yearly = [chamber_expenses.CSV.of_year(year) for year in range(FIRST_YEAR, current_year() + 1)]
    sources = (kaggle_reimbursements.CSV, kaggle_refunds.CSV, *yearly)
    by_name = {name: source for source in sources for name in source.file_names}
    return {
        landed.name: is_invented(zone, landed, by_name[landed.name])
        for landed in zone.files()
        if landed.name in by_name
    }


def require_one(lake: Lake, zone: LandingZone, landed: LandedFile, source: PublishedCsv) -> bool:
    """Whether a file about to be taken in is invented. Raises `RawFileError` where the lake's rows are the other way.

    Where the lake has none yet, real files count more than invented ones beside them. A file that can't be read is
    neither: whoever reads it says what is wrong with it.
    """
    invented, of_lake = is_invented(zone, landed, source), is_invented_lake(lake)
    if invented and (of_lake is False or (of_lake is None and False in origins(zone).values())):
        problem = "this file is invented, deputies-lake sample wrote it, and here are real data"
        remedy = (
            f"Take it away. A lake of invented data has a home of its own: deputies-lake demo builds ./{DEMO_HOME}."
        )
        raise RawFileError(landed.path, problem, remedy)
    if of_lake and invented is False:
        problem = "this file is none that deputies-lake sample wrote, and this lake is of invented data"
        raise RawFileError(landed.path, problem, f"Real data need a home of their own: set {HOME} to another folder.")
    return bool(invented)


def is_invented(zone: LandingZone, landed: LandedFile, source: PublishedCsv) -> bool | None:
    """Told by the companies in the file's first lines; None of a file that can't be read, or lacks their column."""
    try:
        with zone.filesystem.open_input_file(landed.path) as file, _text(file, landed, source) as stream:
            head = stream.read(_HEAD_BYTES)
    except (RawFileError, OSError, EOFError, gzip.BadGzipFile):
        return None
    # The last line may be cut off.
    lines = head.decode("utf-8-sig", errors="replace").splitlines()[:-1]
    column = _COMPANIES[source.source_code]
    rows = csv.DictReader(lines, delimiter=source.delimiter)
    try:
        if column not in (rows.fieldnames or ()):
            return None
        found = [_branch(row.get(column) or "") for row in rows]
    except csv.Error:
        return None
    branches = [branch for branch in found if branch is not None]
    return len(branches) >= _FEWEST_COMPANIES and min(branches) >= FIRST_INVENTED_BRANCH


@contextmanager
def _text(file: pa.NativeFile, landed: LandedFile, source: PublishedCsv) -> Iterator[IO[bytes] | Any]:
    if landed.name.endswith(".zip"):
        with zipped.open_member(file, landed.path, source) as text:
            yield text
    elif landed.name.endswith(".gz"):
        with gzip.GzipFile(fileobj=file) as text:
            yield text
    else:
        yield file


def _branch(text: str) -> int | None:
    """The branch number of a CNPJ, with its marks or as a number that lost its zeros; None of what is none."""
    if re.fullmatch(r"\d+(?:\.\d+)?(?:e\+?\d+)?", text, re.IGNORECASE):
        number = int(Decimal(text))
    else:
        number = int(re.sub(r"\D", "", text) or 0)
    return number // _CHECK_DIGITS % _BRANCHES if number >= _LARGEST_CPF else None
