"""Writes sample files in the format of Kaggle's data set, and the figures that their readers must find.

Here belong the files as a whole: their names, order and totals. How lines look is in `reimbursements` and
`refunds`, what they say in `receipts`. The totals are counted from the numbers drawn, never read back from
the text, so that they can be held against what the lake makes of it.
"""

import gzip
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from math import sqrt
from pathlib import Path
from typing import IO, Final, cast

import numpy as np
from numpy.typing import NDArray

from deputies_lake.sample import refunds as refunds_file
from deputies_lake.sample import reimbursements as reimbursements_file
from deputies_lake.sample.deputies import invented_deputies
from deputies_lake.sample.draws import Integers, apportion, stream
from deputies_lake.sample.files import written_as_a_whole
from deputies_lake.sample.kaggle_shape import CATEGORIES, PUBLISHED_ROWS, ROWS_BY_YEAR
from deputies_lake.sample.lines import as_bytes, count_identical
from deputies_lake.sample.receipts import Receipts, Roster, receipts_of, roster_of
from deputies_lake.sample.suppliers import NO_ID, Suppliers, invented_suppliers

REIMBURSEMENTS_NAME: Final = "deputies_dataset.csv"
REFUNDS_NAME: Final = "dirty_deputies_v2.csv"
FEWEST_ROWS: Final = 1_000
GZIP_LEVEL: Final = 6

PEOPLE, SUPPLIERS, RECEIPTS, REFUNDS = range(4)
"""What the seed's streams are for: the first file is the same with and without the second."""


@dataclass(frozen=True, kw_only=True)
class KaggleSample:
    """The files written and the figures that any reading of them must give.

    Amounts are whole reais, `refund_total` is in reais and cents with sign. Only what occurs has an entry in
    the dictionaries. `identical_rows` are the rows that have at least one equal: exact up to a hundred
    million rows, for more perhaps too low. `stateless_rows` are those of leaderships and former deputies.
    """

    reimbursements: Path
    refunds: Path | None
    rows: int
    total: int
    rows_by_year: dict[int, int]
    total_by_year: dict[int, int]
    rows_by_year_and_category: dict[tuple[int, str], int]
    total_by_year_and_category: dict[tuple[int, str], int]
    bugged_rows: int
    null_supplier_ids: int
    stateless_rows: int
    leadership_rows: int
    identical_rows: int
    refund_rows: int
    refund_total: Decimal


def write_kaggle_files(
    directory: Path,
    *,
    rows: int = 100_000,
    seed: int = 2017,
    compress: bool = False,
    refunds: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> KaggleSample:
    """Write deputies_dataset.csv and, with `refunds`, its receipts of 2016 as dirty_deputies_v2.csv.

    The text depends on `rows` and `seed` alone; compressed, its bytes also depend on the machine's zlib.
    Files appear under their names only when all is written. `progress` is told the rows written so far and
    the rows in all.
    """
    if rows < FEWEST_ROWS:
        raise ValueError(f"{rows} rows are too few to look like the published file: at least {FEWEST_ROWS}")
    scale = scale_of(rows)
    everyone = invented_deputies(stream(seed, PEOPLE), scale)
    suppliers = invented_suppliers(stream(seed, SUPPLIERS), scale)
    bits = stream(seed, RECEIPTS)

    directory.mkdir(parents=True, exist_ok=True)
    suffix = ".gz" if compress else ""
    reimbursements_path = directory / f"{REIMBURSEMENTS_NAME}{suffix}"
    refunds_path = directory / f"{REFUNDS_NAME}{suffix}" if refunds else None
    rows_by = np.zeros((len(ROWS_BY_YEAR), len(CATEGORIES)), dtype=np.int64)
    total_by = np.zeros_like(rows_by)
    counts: Counter[str] = Counter()
    with ExitStack() as files:
        first_file = files.enter_context(_published(reimbursements_path, reimbursements_file.HEADER))
        if refunds_path:
            second_file = files.enter_context(_published(refunds_path, refunds_file.HEADER))
        rows_by_year = apportion(bits, rows, list(ROWS_BY_YEAR.values())).tolist()
        for position, (year, rows_of_year) in enumerate(zip(ROWS_BY_YEAR, rows_by_year, strict=True)):
            roster = roster_of(year, everyone)
            reimbursement_lines = reimbursements_file.line_maker(roster, suppliers)
            refund_lines = None
            if refunds and year == refunds_file.REFUNDS_YEAR:
                refund_lines = refunds_file.line_maker(stream(seed, REFUNDS), roster, suppliers)
            for receipts in receipts_of(bits, rows_of_year, roster, suppliers):
                lines = reimbursement_lines(receipts)
                first_file.write(as_bytes(lines))
                counts["identical"] += count_identical(lines)
                counts.update(_odd_rows(receipts, roster, suppliers))
                np.add.at(rows_by[position], receipts.category, 1)
                np.add.at(total_by[position], receipts.category, receipts.amount)
                if refund_lines:
                    lines, cents = refund_lines(receipts)
                    second_file.write(as_bytes(lines))
                    counts.update({"refunds": len(lines), "refund cents": cents})
                if progress:
                    progress(int(rows_by.sum()), rows)
    return KaggleSample(
        reimbursements=reimbursements_path,
        refunds=refunds_path,
        rows=int(rows_by.sum()),
        total=int(total_by.sum()),
        rows_by_year=dict(zip(ROWS_BY_YEAR, rows_by.sum(axis=1).tolist(), strict=True)),
        total_by_year=dict(zip(ROWS_BY_YEAR, total_by.sum(axis=1).tolist(), strict=True)),
        rows_by_year_and_category=_by_year_and_category(rows_by, rows_by > 0),
        total_by_year_and_category=_by_year_and_category(total_by, rows_by > 0),
        bugged_rows=counts["undated"],
        null_supplier_ids=counts["without id"],
        stateless_rows=counts["stateless"],
        leadership_rows=counts["of offices"],
        identical_rows=counts["identical"],
        refund_rows=counts["refunds"],
        refund_total=Decimal(counts["refund cents"]).scaleb(-2),
    )


def scale_of(rows: int) -> float:
    """How large a file of so many rows is beside the published one: how many deputies and suppliers it has."""
    return min(1.0, sqrt(rows / PUBLISHED_ROWS))


def _odd_rows(receipts: Receipts, roster: Roster, suppliers: Suppliers) -> dict[str, int]:
    return {
        "undated": int(receipts.undated.sum()),
        "without id": int((suppliers.ids[receipts.supplier] == NO_ID).sum()),
        "stateless": int(roster.is_stateless[receipts.deputy].sum()),
        "of offices": int(roster.is_office[receipts.deputy].sum()),
    }


def _by_year_and_category(figures: Integers, occurs: NDArray[np.bool_]) -> dict[tuple[int, str], int]:
    return {
        (year, category.label): int(figures[y, c])
        for y, year in enumerate(ROWS_BY_YEAR)
        for c, category in enumerate(CATEGORIES)
        if occurs[y, c]
    }


@contextmanager
def _published(path: Path, header: Sequence[str]) -> Iterator[IO[bytes]]:
    """A file to write to, beginning with its header."""
    with written_as_a_whole(path) as unfinished, _opened(unfinished, compress=path.suffix == ".gz") as output:
        output.write(f"{','.join(header)}\n".encode())
        yield output


@contextmanager
def _opened(path: Path, *, compress: bool) -> Iterator[IO[bytes]]:
    with path.open("wb") as plain:
        if not compress:
            yield plain
            return
        # No name and no time in the archive, or equal text would not give equal bytes.
        with gzip.GzipFile("", "wb", GZIP_LEVEL, fileobj=plain, mtime=0) as packed:
            yield cast("IO[bytes]", packed)
