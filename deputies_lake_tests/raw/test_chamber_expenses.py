"""The House's yearly files in every layout they have had. Nobody in them is real, but in the files of `real_data`."""

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from deputies_lake.raw import chamber_expenses, zipped
from deputies_lake.raw.amounts import readable_amounts
from deputies_lake.raw.equal_lines import EqualLines
from deputies_lake.raw.published_csv import RawFileError, read_blocks

CSV: Final = chamber_expenses.CSV.of_year(2022)

LAYOUTS: Final = {
    29: tuple(name for name in CSV.columns if name not in CSV.optional_columns),
    31: tuple(name for name in CSV.columns if name != "datPagamentoRestituicao"),
    32: CSV.columns,
}
MARK: Final = "\ufeff"

EXPENSE: Final = {
    **{name: f"{name} 1" for name in CSV.columns},
    "txNomeParlamentar": "Fulana De Tal",
    "cpf": "00000000000",
    "sgUF": "NA",
    "txtFornecedor": 'POSTO "BOM"; FILIAL',
    "txtCNPJCPF": "000.000.000/0001-0 ",
    "txtNumero": "00123",
    "datEmissao": "2022-01-16T00:00:00",
    "vlrLiquido": "-139.7",
    "numMes": "",
}


def written(layout: tuple[str, ...], *, quoted: bool, mark: bool) -> bytes:
    """A file of two rows, as the House writes it."""
    text = io.StringIO()
    writer = csv.writer(
        text, delimiter=";", quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL, lineterminator="\n"
    )
    writer.writerow(layout)
    writer.writerows([[EXPENSE[name] for name in layout]] * 2)
    return ((MARK if mark else "") + text.getvalue()).encode()


def read(content: bytes) -> list[dict[str, Any]]:
    stream = io.BufferedReader(io.BytesIO(content))
    return [row for block in read_blocks(stream, "Ano-2022.csv", CSV).tables for row in block.to_pylist()]


def test_the_layouts_have_as_many_columns_as_they_are_called_by() -> None:
    assert [len(layout) for layout in LAYOUTS.values()] == list(LAYOUTS)


@pytest.mark.parametrize("mark", [True, False], ids=["with a byte order mark", "without a mark"])
@pytest.mark.parametrize("quoted", [True, False], ids=["quoted", "unquoted"])
@pytest.mark.parametrize("width", LAYOUTS)
def test_each_layout_gives_the_same_row(width: int, quoted: bool, mark: bool) -> None:
    layout = LAYOUTS[width]
    expected = {name: EXPENSE[name] if name in layout else "" for name in CSV.columns}
    ours = {"other_columns": None, "year": 2022, "unreadable_text": None, "unreadable_reason": None}
    assert read(written(layout, quoted=quoted, mark=mark)) == [
        {**expected, **ours, "source_line": 2},
        {**expected, **ours, "source_line": 3},
    ]


def test_a_row_has_the_columns_of_its_contract() -> None:
    content = written(LAYOUTS[32], quoted=True, mark=True)
    (block,) = read_blocks(io.BufferedReader(io.BytesIO(content)), "Ano-2022.csv", CSV).tables
    numbered = EqualLines(CSV.columns).numbered(block)
    assert sorted(numbered.column_names) == sorted(chamber_expenses.TABLE.column_names)


def test_the_spelling_of_2017_is_known() -> None:
    content = written(LAYOUTS[29], quoted=False, mark=False).replace(b"ideCadastro;", b"idecadastro;", 1)
    assert read(content)[0]["ideCadastro"] == EXPENSE["ideCadastro"]


def test_a_column_that_the_house_adds_is_kept() -> None:
    content = written(LAYOUTS[32], quoted=True, mark=True).replace(b'"numMes"', b'"numMes";"tipoGasto"', 1)
    content = content.replace(b'"-139.7";""', b'"-139.7";"";"eventual"')
    assert [json.loads(row["other_columns"]) for row in read(content)] == [{"tipoGasto": "eventual"}] * 2


@pytest.mark.parametrize("name", [name for name in CSV.columns if name not in CSV.optional_columns])
def test_a_column_that_the_house_renames_blocks(name: str) -> None:
    header, _, rows = written(LAYOUTS[32], quoted=True, mark=True).partition(b"\n")
    renamed = header.replace(f'"{name}"'.encode(), b'"outroNome"')
    with pytest.raises(RawFileError, match=rf"missing: {name}; unexpected: outroNome; twice: none"):
        read(renamed + b"\n" + rows)


# the real files

REAL_ROWS: Final = {
    2008: 445,
    2015: 13_142,
    2016: 44_438,
    2019: 8_528,
    2020: 6_758,
    2021: 14_720,
    2022: 107_810,
    2024: 1_330,
}
REAL_WIDTHS: Final = {2008: 32, 2015: 32, 2016: 32, 2019: 29, 2020: 31, 2021: 32, 2022: 31, 2024: 32}

RealFile = tuple[int, tuple[str, ...], pa.Table]


@pytest.fixture(scope="module", params=REAL_ROWS)
def real_file(request: pytest.FixtureRequest, real_data: Path) -> RealFile:
    """A year, its file's header, and its rows."""
    source = chamber_expenses.CSV.of_year(request.param)
    path = real_data / "chamber" / source.file_names[0]
    with path.open("rb") as file, zipped.open_member(file, path.name, source) as stream:
        blocks = read_blocks(stream, path.name, source)
        return request.param, blocks.header, pa.concat_tables(blocks.tables)


def test_every_line_of_a_real_file_is_a_row(real_file: RealFile) -> None:
    year, _, rows = real_file
    assert rows["source_line"].to_pylist() == list(range(2, REAL_ROWS[year] + 2))


def test_no_line_of_a_real_file_is_unreadable(real_file: RealFile) -> None:
    _, _, rows = real_file
    assert rows["unreadable_reason"].null_count == rows.num_rows


def test_the_header_of_a_real_file_is_one_of_the_layouts(real_file: RealFile) -> None:
    year, header, _ = real_file
    assert header == LAYOUTS[REAL_WIDTHS[year]]


def test_a_real_file_has_no_new_columns(real_file: RealFile) -> None:
    _, _, rows = real_file
    assert rows["other_columns"].null_count == rows.num_rows


def test_every_category_code_of_a_real_file_is_a_number(real_file: RealFile) -> None:
    """A field that slipped into its neighbour's place would not be."""
    _, _, rows = real_file
    assert pc.all(pc.match_substring_regex(rows["numSubCota"], "^[0-9]{1,3}$")).as_py()


@pytest.mark.parametrize("real_file", [2016, 2019, 2020, 2021, 2022], indirect=True)
def test_rows_and_amounts_of_a_real_file_add_up_to_the_answers(real_file: RealFile, real_data: Path) -> None:
    year, _, rows = real_file
    answers = json.loads((real_data / "truth" / "chamber_answers.json").read_text(), parse_float=Decimal)
    known = next(answer for answer in answers if answer["year"] == year)
    found = [pc.sum(readable_amounts(rows[name])).as_py() for name in ("vlrLiquido", "vlrDocumento", "vlrGlosa")]
    assert (rows.num_rows, *found) == (known["rows"], known["sum_liquido"], known["sum_documento"], known["sum_glosa"])
