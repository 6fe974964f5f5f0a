"""Writes sample files in the format of the House's yearly ones, and the figures that their readers must find.

Here belong the files as a whole: the archive, the order of the rows, damaged lines, the totals. What lines look like
is in `chamber_lines`, what they say in `chamber_receipts`, what a later version of a year has other than the first in
`restatements`. The totals are counted from the numbers drawn, never read back from the text, so that they can be held
against what the lake makes of it.
"""

import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from pathlib import Path
from typing import IO, Final, cast

from numpy.random import PCG64

from deputies_lake.sample import kaggle, names
from deputies_lake.sample.chamber_figures import CategoryFigures, Figures, Tally, total_of
from deputies_lake.sample.chamber_lines import CURRENT, DOCUMENTS_A_YEAR, Layout, line_maker
from deputies_lake.sample.chamber_members import invented_members, roster_of
from deputies_lake.sample.chamber_receipts import Expenses, Market, expenses_of
from deputies_lake.sample.chamber_shape import FIRST_YEAR, PUBLISHED_ROWS_A_YEAR
from deputies_lake.sample.chamber_suppliers import published_suppliers
from deputies_lake.sample.deputies import invented_deputies
from deputies_lake.sample.draws import stream
from deputies_lake.sample.files import written_as_a_whole
from deputies_lake.sample.lines import as_bytes, count_identical, cut_off
from deputies_lake.sample.restatements import UNCHANGED, Restatement, Reviser
from deputies_lake.sample.suppliers import invented_suppliers

FEWEST_ROWS: Final = 500
MOST_ROWS: Final = DOCUMENTS_A_YEAR // 2
PASSENGERS: Final = 200
PASSENGERS_IN_COMPANY: Final = 20

MEMBERS, NAMES, ROWS, LATE_ROWS, DAMAGED_ROWS = range(10, 15)
"""What the seed's streams are for, beside Kaggle's: a year is the same whichever others are written with it."""

UNESCAPED: Final = {"txtFornecedor": 'GRÁFICA D"ALVORADA LTDA'}
DECIMAL_COMMA: Final = {"vlrDocumento": "1.234,56", "vlrLiquido": "1.234,56"}

FIRST_DAMAGED_ROW: Final = DOCUMENTS_A_YEAR - MOST_ROWS // 2
"""Far behind a year's own rows, whose documents would get the same ids otherwise."""

MADE_AT: Final = (1, 1, 3, 27, 0)
"""Month, day and time of the archive's making, in the year after the file's."""


@dataclass(frozen=True, kw_only=True)
class ChamberYear:
    """One year's file and the figures that any reading of it must give.

    All are of the rows that can be read: `unescaped_quotes` lines among them have quotes that are not doubled.
    Beside them stand `rejected_lines`, of which half are cut off and half have amounts with a decimal comma.
    `negatives` are rows with a negative net value. `identical_rows` have at least one equal.

    `added`, `removed` and `altered` tell a later version from the first one: the rows it has more, the first one's
    rows it lacks, and of the rows that have changed their number and by how much their sums did.
    """

    path: Path
    year: int
    by_category: CategoryFigures
    leaderships: Figures
    negatives: Figures
    missing_dates: int
    identical_rows: int
    unescaped_quotes: int
    rejected_lines: int
    added: CategoryFigures
    removed: CategoryFigures
    altered: CategoryFigures

    @property
    def total(self) -> Figures:
        return total_of(self.by_category)


@dataclass(frozen=True, kw_only=True)
class ChamberSample:
    """The files written, by year."""

    by_year: dict[int, ChamberYear]

    @property
    def rows(self) -> int:
        return sum(year.total.rows for year in self.by_year.values())

    @property
    def by_year_and_category(self) -> dict[tuple[int, str, str], Figures]:
        """By year, number and label of the category."""
        return {
            (year, *category): figures
            for year, written in self.by_year.items()
            for category, figures in written.by_category.items()
        }


def write_chamber_files(
    directory: Path,
    *,
    years: Iterable[int],
    rows_per_year: int = 20_000,
    seed: int = 2017,
    kaggle_rows: int | None = None,
    layout: Layout = CURRENT,
    restatement: Restatement = UNCHANGED,
    damaged: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> ChamberSample:
    """Write an Ano-YYYY.csv.zip for each of the years, with `rows_per_year` rows each before the restatement.

    The rows of a year depend on `rows_per_year`, `seed`, `kaggle_rows` and the year alone, so that a `restatement` is
    a later version of them; the archive's bytes also depend on the machine's zlib. Deputies and suppliers
    are those of a Kaggle sample of the same seed and `kaggle_rows` rows; without it they are as many as suit the size.
    `damaged` adds so many lines of each kind of damage, which only a layout that quotes every field can have.

    Files appear under their names only when all of a year is written. `progress` is told the rows drawn so far and the
    rows in all. Raises `ValueError` for too few or too many rows, a year before 2008, a restatement of more rows than
    there are to restate, and damage to a layout that can't have it.
    """
    years = sorted(set(years))
    _require_possible(years, rows_per_year, layout, damaged)
    scale = kaggle.scale_of(kaggle_rows) if kaggle_rows else min(1.0, sqrt(rows_per_year / PUBLISHED_ROWS_A_YEAR))
    deputies = invented_deputies(stream(seed, kaggle.PEOPLE), scale)
    members = invented_members(stream(seed, MEMBERS), deputies)
    suppliers = invented_suppliers(stream(seed, kaggle.SUPPLIERS), scale)
    bits = stream(seed, NAMES)
    published = published_suppliers(bits, suppliers)
    passengers = _passengers(bits)

    directory.mkdir(parents=True, exist_ok=True)
    by_year: dict[int, ChamberYear] = {}
    for position, year in enumerate(years):

        def tell(rows: int, before: int = position * rows_per_year) -> None:
            if progress:
                progress(before + rows, len(years) * rows_per_year)

        market = Market(roster_of(year, members), suppliers, published, passengers)
        year_file = _YearFile(directory / f"Ano-{year}.csv.zip", market, layout, seed)
        by_year[year] = year_file.write(rows_per_year, restatement, damaged, tell)
    return ChamberSample(by_year=by_year)


def _require_possible(years: Sequence[int], rows: int, layout: Layout, damaged: int) -> None:
    if rows < FEWEST_ROWS:
        raise ValueError(f"{rows} rows a year are too few to look like a published file: at least {FEWEST_ROWS}")
    if rows > MOST_ROWS:
        raise ValueError(f"{rows} rows a year are more than there are ids for their documents: at most {MOST_ROWS}")
    if years and years[0] < FIRST_YEAR:
        raise ValueError(f"{years[0]} has no file: the House's first is of {FIRST_YEAR}")
    if damaged and not layout.quotes_every_field:
        raise ValueError("damaged lines need a layout that quotes every field: elsewhere a stray quote is no damage")


def _passengers(bits: PCG64) -> list[str]:
    """Third persons; some tickets name two, with the semicolon that separates the file's fields."""
    persons = names.invented_persons(bits, PASSENGERS)
    return [*persons, *(f"{one}; {other}" for one, other in pairwise(persons[:PASSENGERS_IN_COMPANY]))]


class _YearFile:
    """Writes one year's file, once, and counts what goes into it."""

    def __init__(self, path: Path, market: Market, layout: Layout, seed: int) -> None:
        self._path, self._market, self._layout, self._seed = path, market, layout, seed
        self._year = market.roster.year
        self._lines_of = line_maker(market, layout)
        self._written, self._negatives, self._leaderships = Tally(), Tally(), Tally()
        self._added, self._removed, self._altered = Tally(), Tally(), Tally()
        self._counts: Counter[str] = Counter()

    def write(self, rows: int, restatement: Restatement, damaged: int, tell: Callable[[int], None]) -> ChamberYear:
        with _archived(self._path, self._year) as output:
            output.write(self._layout.header)
            self._write_rows(output, rows, restatement, tell)
            self._write_damaged(output, damaged)
        return ChamberYear(
            path=self._path,
            year=self._year,
            by_category=self._written.figures(self._year),
            leaderships=total_of(self._leaderships.figures(self._year)),
            negatives=total_of(self._negatives.figures(self._year)),
            missing_dates=self._counts["undated"],
            identical_rows=self._counts["identical"],
            unescaped_quotes=self._counts["unescaped quotes"],
            rejected_lines=self._counts["rejected"],
            added=self._added.figures(self._year),
            removed=self._removed.figures(self._year),
            altered=self._altered.figures(self._year),
        )

    def _write_rows(self, output: IO[bytes], rows: int, restatement: Restatement, tell: Callable[[int], None]) -> None:
        reviser = Reviser(restatement, rows)
        for expenses in expenses_of(stream(self._seed, ROWS, self._year), rows, self._market):
            revised, is_left, is_altered = reviser.revise(expenses)
            self._removed.add(expenses.only(~is_left))
            self._altered.add_change(expenses.only(is_altered), revised.only(is_altered))
            self._write_sound(output, revised.only(is_left), {})
            tell(int(expenses.row[-1]) + 1)
        reviser.require_done(self._year)
        for expenses in expenses_of(stream(self._seed, LATE_ROWS, self._year), restatement.added, self._market, rows):
            self._added.add(expenses)
            self._write_sound(output, expenses, {})

    def _write_damaged(self, output: IO[bytes], lines: int) -> None:
        """So many lines of each kind of damage, of rows of their own."""
        bits = stream(self._seed, DAMAGED_ROWS, self._year)
        for expenses in expenses_of(bits, lines, self._market, FIRST_DAMAGED_ROW):
            self._write_sound(output, expenses, UNESCAPED)
            output.write(as_bytes(self._lines_of(expenses, DECIMAL_COMMA)))
            output.write(as_bytes(cut_off(self._lines_of(expenses, {}))))
            self._counts.update({"unescaped quotes": len(expenses.row), "rejected": 2 * len(expenses.row)})

    def _write_sound(self, output: IO[bytes], expenses: Expenses, instead: Mapping[str, str]) -> None:
        """Write lines that can be read, and count their rows."""
        lines = self._lines_of(expenses, instead)
        output.write(as_bytes(lines))
        self._written.add(expenses)
        self._negatives.add(expenses.only(expenses.net < 0))
        self._leaderships.add(expenses.only(self._market.roster.is_office[expenses.member]))
        self._counts.update({"undated": int(expenses.is_undated.sum()), "identical": count_identical(lines)})


@contextmanager
def _archived(path: Path, year: int) -> Iterator[IO[bytes]]:
    """The text inside the archive: made as a stream as the House's, and equal for equal text."""
    member = zipfile.ZipInfo(path.stem, date_time=(year + 1, *MADE_AT))
    member.compress_type = zipfile.ZIP_DEFLATED
    # What the archive says of its maker differs between systems otherwise.
    member.create_system = 0
    with (
        written_as_a_whole(path) as unfinished,
        unfinished.open("wb") as file,
        zipfile.ZipFile(cast("IO[bytes]", _Unseekable(file)), "w") as archive,
        archive.open(member, "w") as text,
    ):
        yield text


class _Unseekable:
    """A file that can only be written on: `zipfile` then puts sizes behind the data, as the House's archives do."""

    def __init__(self, file: IO[bytes]) -> None:
        self.write, self.flush = file.write, file.flush
