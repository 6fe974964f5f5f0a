"""Which lines count as rejected, and from when on a file is not believed for their sake."""

from collections.abc import Mapping
from decimal import Decimal

import pyarrow as pa
import pytest

from deputies_lake.raw.amounts import readable_amounts
from deputies_lake.raw.chamber_expenses import CSV
from deputies_lake.raw.rejections import LargestAmount, Rejections, doubts, told

AMOUNTS = (CSV.amount_column, *CSV.other_amount_columns)
PAYER = ("nuDeputadoId", "ideCadastro", "txNomeParlamentar", "numSubCota", "txtDescricao")


def block(*lines: Mapping[str, str | None], first_line: int = 2) -> pa.Table:
    """Sound lines but for what is said of each."""
    sound = {"vlrLiquido": "10.25", "vlrDocumento": "12", "vlrGlosa": "1.75", "vlrRestituicao": ""}
    sound |= dict.fromkeys((*CSV.whole_number_columns, *PAYER), "1")
    columns = {name: pa.chunked_array([[{**sound, **line}[name] for line in lines]], pa.string()) for name in sound}
    reasons = pa.array([line.get("unreadable_reason") for line in lines], pa.string())
    numbers = pa.array(range(first_line, first_line + len(lines)), pa.int64())
    return pa.table({**columns, "unreadable_reason": reasons, "source_line": numbers})


def counted(*blocks: pa.Table) -> Rejections:
    rejections = Rejections()
    for one in blocks:
        rejections.add(one, CSV, [readable_amounts(one[name]) for name in AMOUNTS])
    return rejections


def test_sound_lines_are_not_counted() -> None:
    assert counted(block({}, {"vlrRestituicao": "1.00"}, {"vlrLiquido": "-3"})) == Rejections()


@pytest.mark.parametrize(
    ("line", "amount"),
    [
        ({"vlrLiquido": "411,51"}, "0"),
        ({"vlrLiquido": ""}, "0"),
        ({"vlrDocumento": "12,00"}, "10.25"),
        ({"vlrGlosa": ""}, "10.25"),
        ({"vlrRestituicao": "1,00"}, "10.25"),
        (dict.fromkeys(PAYER, ""), "0"),
        ({"nuDeputadoId": "0", "ideCadastro": "NA", "txNomeParlamentar": " "}, "10.25"),
        ({"nuDeputadoId": "", "ideCadastro": "", "txNomeParlamentar": "Total geral"}, "0"),
        ({"numMes": "3.7"}, "10.25"),
        ({**dict.fromkeys(AMOUNTS, ""), "unreadable_reason": "3 fields instead of 32"}, "0"),
    ],
)
def test_a_line_that_is_no_receipt_counts_with_what_is_missing_of_its_money(line: dict[str, str], amount: str) -> None:
    assert counted(block({}, line)) == Rejections(rows=1, amount=Decimal(amount), first_lines=[3])


def test_the_first_five_lines_are_named_across_blocks() -> None:
    wrong = {"vlrLiquido": "x"}
    found = counted(block(wrong, {}, wrong), block(*[wrong] * 10, first_line=5))
    assert (found.rows, found.first_lines) == (12, [2, 4, 5, 6, 7])


def test_it_is_said_in_a_sentence() -> None:
    found = Rejections(rows=1200, amount=Decimal("1234.5"), first_lines=[2, 1003])
    assert told(found, rows=107_810) == (
        "1,200 of 107,810 lines can't be read, with BRL 1,234.50 of what can be read in them; the first: lines 2, 1,003"
    )
    assert told(Rejections(rows=1, first_lines=[7]), rows=9) == "1 of 9 lines can't be read; the first: line 7"
    assert told(Rejections(), rows=9) == ""


def is_doubted(rejections: Rejections, *, rows: int, amount: Decimal) -> bool:
    return bool(doubts(rejections, LargestAmount(), rows=rows, amount=amount))


@pytest.mark.parametrize(
    ("rejected", "rows", "doubted"),
    [
        (0, 10, False),
        (1, 2, False),
        (5, 10, False),
        (6, 1000, True),
        (1, 1, True),
        (3, 5, True),
        (5, 1000, False),
        (500, 100_000, False),
        (501, 100_000, True),
    ],
)
def test_a_few_lines_are_believed_to_be_all_and_a_share_of_them_is_not(rejected: int, rows: int, doubted: bool) -> None:
    assert is_doubted(Rejections(rows=rejected), rows=rows, amount=Decimal(rows)) is doubted


@pytest.mark.parametrize(("amount", "doubted"), [("500", False), ("500.01", True), ("-500.01", True)])
def test_a_few_lines_that_hold_much_of_the_money_are_doubted(amount: str, doubted: bool) -> None:
    found = Rejections(rows=1, amount=Decimal(amount))
    assert is_doubted(found, rows=100_000, amount=Decimal(100_000)) is doubted


def test_of_a_small_file_one_line_may_hold_most_of_the_money() -> None:
    assert not is_doubted(Rejections(rows=1, amount=Decimal(90)), rows=10, amount=Decimal(100))


def largest(*blocks: pa.Table) -> LargestAmount:
    found = LargestAmount()
    for one in blocks:
        found.add(one, [readable_amounts(one[name]) for name in AMOUNTS])
    return found


def test_the_largest_amount_is_known_with_its_line_whatever_its_sign_and_column() -> None:
    assert largest(block({}, {"vlrGlosa": "-900.50"}), block({"vlrLiquido": "900"}, first_line=9)) == LargestAmount(
        amount=Decimal("-900.50"), line=3
    )
    assert largest(block({"vlrLiquido": "5"}), block({}, {"vlrLiquido": "900"}, first_line=9)).line == 10
    assert largest(block(dict.fromkeys(AMOUNTS, "x"))) == LargestAmount()


def test_an_amount_that_no_receipt_has_is_doubted_with_its_line() -> None:
    found = LargestAmount(amount=Decimal("-10000000.01"), line=7)
    assert doubts(Rejections(), found, rows=9, amount=Decimal(1)) == [
        "line 7 has an amount of BRL -10,000,000.01, which no receipt has"
    ]
    assert doubts(Rejections(), LargestAmount(amount=Decimal(10_000_000), line=7), rows=9, amount=Decimal(1)) == []
