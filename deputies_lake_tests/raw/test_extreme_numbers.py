"""Whatever stands where a number should be: no line is lost, no sum is off, no other row and no other year changes."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from deputies_lake.contracts import YEAR
from deputies_lake.quota_years import FIRST_YEAR, current_year
from deputies_lake.raw import chamber_expenses, kaggle_refunds, kaggle_reimbursements
from deputies_lake.raw.amounts import readable_amounts
from deputies_lake.raw.control_totals import ControlTotals
from deputies_lake.raw.published_csv import PublishedCsv
from deputies_lake_tests.raw.number_texts import NUMERIC, TEXTS, cents_of, may_be_amount, must_be_amount
from deputies_lake_tests.raw.test_intake import House
from deputies_lake_tests.staging.raw_rows import RawRow, chamber_expense, file_of, lines_of, refund, reimbursement

ORDINARY: Final = (
    (chamber_expenses.CSV.of_year(2022), chamber_expense()),
    (kaggle_reimbursements.CSV, reimbursement()),
    (kaggle_refunds.CSV, refund()),
)
SOUND_ROWS: Final = 20
GOOD, ODD = 2021, 2022

Cells = Sequence[tuple[str, str]]


def cells(source: PublishedCsv, most: int) -> st.SearchStrategy[Cells]:
    """Columns, each with what stands there instead of a number in a row of its own."""
    return st.lists(st.tuples(st.sampled_from(NUMERIC[source.source_code]), TEXTS), min_size=1, max_size=most)


def rows_with(odd: Cells, ordinary: RawRow) -> list[RawRow]:
    """`SOUND_ROWS` ordinary rows, and between them one for each cell."""
    sound = [ordinary] * (SOUND_ROWS // 2)
    return [*sound, *({**ordinary, column: text} for column, text in odd), *sound]


@pytest.mark.parametrize(("source", "ordinary"), ORDINARY, ids=lambda value: getattr(value, "source_code", ""))
@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_each_line_is_a_row_as_it_stands_of_one_possible_year(
    source: PublishedCsv, ordinary: RawRow, data: st.DataObject
) -> None:
    rows = rows_with(data.draw(cells(source, SOUND_ROWS)), ordinary)
    lines = lines_of(source, file_of(source, rows)).to_pylist()
    assert [line["source_line"] for line in lines] == list(range(2, len(rows) + 2))
    for row, line in zip(rows, lines, strict=True):
        assert FIRST_YEAR <= line[YEAR] <= current_year()
        # The one character that no line may hold.
        if "\0" in "".join(str(row[name]) for name in source.columns):
            assert line["unreadable_reason"].startswith("NUL character")
        else:
            assert {name: line[name] for name in source.columns} == {name: row[name] for name in source.columns}
    in_sound_rows = [line[YEAR] for row, line in zip(rows, lines, strict=True) if row == ordinary]
    assert in_sound_rows == [ordinary[YEAR]] * len(in_sound_rows)


@settings(deadline=None, max_examples=100)
@given(texts=st.lists(TEXTS, min_size=1, max_size=40, unique=True))
def test_a_text_is_the_amount_that_it_says_or_none_and_counts_to_the_cent(texts: list[str]) -> None:
    amounts = readable_amounts(pa.chunked_array([texts]))
    read = {text: amount for text, amount in zip(texts, amounts.to_pylist(), strict=True) if amount is not None}
    assert {*filter(must_be_amount, texts)} <= read.keys() <= {*filter(may_be_amount, texts)}
    assert read == {text: cents_of(text) for text in read}
    totals = ControlTotals()
    totals.add(pa.array([2022] * len(texts)), pa.array(["FUEL"] * len(texts)), amounts)
    assert (totals.sums().row_count, totals.sums().amount) == (len(texts), sum(read.values(), Decimal(0)))


def file_of_the_house(year: int, odd: Cells = ()) -> bytes:
    return file_of(chamber_expenses.CSV, rows_with(odd, chamber_expense(numAno=f"{year}")))


# Each example is two files and two publications.
@settings(
    deadline=None,
    max_examples=4,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(odd=cells(chamber_expenses.CSV, 3 * SOUND_ROWS))
def test_a_file_holds_up_no_year_but_its_own(odd: Cells, tmp_path_factory: pytest.TempPathFactory) -> None:
    house = House(tmp_path_factory.mktemp("house"))
    house.land(GOOD, file_of_the_house(GOOD))
    house.land(ODD, file_of_the_house(ODD, odd))
    taken = house.take_in(GOOD, ODD)
    assert GOOD in taken.new
    assert house.rows().items() <= {GOOD: SOUND_ROWS, ODD: SOUND_ROWS + len(odd)}.items()
    # It was published whole, or not, with a reason.
    assert (ODD in taken.new) != bool(taken.refused.get(ODD))
