"""Tables taken home: what is in the files, as the programs read them that people open them with."""

import csv
import io
import json
import zipfile
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from xlsxwriter.utility import xl_col_to_name

from deputies_lake.lakehouse.lake import Lake
from deputies_lake.serving import exports, mart_deputies, receipts
from deputies_lake.serving.citation import citation
from deputies_lake.serving.dictionary import package
from deputies_lake.serving.exports import ExportError, export, readable_first, rows_into
from deputies_lake.star import dim_suppliers
from deputies_lake_tests.serving.small_lake import KEY, SHA, build, commit, row

TABLE = mart_deputies.TABLE
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def rows_of(path: Path, delimiter: str, encoding: str) -> list[dict[str, str]]:
    with path.open(encoding=encoding, newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


@pytest.fixture(scope="module")
def folder(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every kind of file of one table."""
    made = tmp_path_factory.mktemp("exports")
    for kind in exports.FORMATS:
        export(lake, TABLE, made / f"a.{kind}", kind=kind)
    export(lake, TABLE, made / "excel.csv", kind="csv", excel=True)
    return made


# Brazilian Excel


@pytest.fixture(scope="module")
def excel(folder: Path) -> list[dict[str, str]]:
    return rows_of(folder / "excel.csv", ";", "utf-8-sig")


def test_excel_is_told_that_it_is_utf_8_and_finds_its_line_ends(folder: Path) -> None:
    content = (folder / "excel.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbfyear;deputy_id;")
    assert content.count(b"\n") == content.count(b"\r\n") == 4


def test_amounts_have_decimal_commas_and_no_other(excel: list[dict[str, str]]) -> None:
    assert [row["spent_amount"] for row in excel] == ["1234567,80", "3,00", "-0,50"]


@pytest.mark.parametrize(("column", "values"), [("deputy_id", ["x", '="10/2013"', '="0074"'])])
def test_ids_stay_text(excel: list[dict[str, str]], column: str, values: list[str]) -> None:
    assert [row[column] for row in excel] == values


def test_keys_of_nineteen_digits_stay_text(excel: list[dict[str, str]]) -> None:
    assert [row["deputy_key"] for row in excel] == [f'="{KEY}"', "2", f'="{KEY}"']


def test_no_text_becomes_a_formula(excel: list[dict[str, str]]) -> None:
    assert excel[2]["deputy_name"] == "'=HYPERLINK(1)"


def test_a_delimiter_within_a_text_stays_there(excel: list[dict[str, str]]) -> None:
    assert excel[1]["deputy_name"] == "José, o Velho"


def test_what_is_null_is_empty(excel: list[dict[str, str]]) -> None:
    assert {row["net_amount"] for row in excel} == {""}


@pytest.mark.parametrize("text", ["=1", "+x", "-x", "@x", "\tx", "\rx", "=1\n2"])
def test_each_way_to_begin_a_formula_is_disarmed(text: str) -> None:
    assert excels(text) == f"'{text}"


@pytest.mark.parametrize("text", ["00012", "1E5", "3-4", "01/02/2013", "035.307.490/0013-9", "-7", "1 2"])
def test_each_text_that_excel_takes_for_a_number_stays_text(text: str) -> None:
    assert excels(text) == f'="{text}"'


@pytest.mark.parametrize("text", ["SP", "A1", "E", "BSB/GRU", "-", "3M do Brasil"])
def test_all_other_text_is_left_as_it_is(text: str) -> None:
    assert excels(text) == text


def excels(text: str) -> str:
    """What a text becomes for Excel."""
    file = io.StringIO(newline="")
    rows_into(file, ["a"], excel=True)([[text]])
    [_, [found]] = csv.reader(io.StringIO(file.getvalue(), newline=""), delimiter=";")
    return found


# programs


def test_a_csv_holds_the_values_as_they_are(folder: Path) -> None:
    rows = rows_of(folder / "a.csv", ",", "utf-8")
    told = [(row["deputy_key"], row["deputy_id"], row["deputy_name"], row["spent_amount"]) for row in rows]
    assert told == [
        (f"{KEY}", "x", "Fulana De Tal", "1234567.80"),
        ("2", "10/2013", "José, o Velho", "3.00"),
        (f"{KEY}", "0074", "=HYPERLINK(1)", "-0.50"),
    ]


def test_a_csv_begins_with_its_header_and_keys_come_last(folder: Path) -> None:
    header = (folder / "a.csv").read_text(encoding="utf-8").partition("\n")[0].strip()
    assert header.split(",")[:3] == ["year", "deputy_id", "deputy_name"]
    assert header.endswith(",deputy_key")


def test_the_data_package_names_the_columns_as_they_are_exported(folder: Path, lake: Lake) -> None:
    [described] = [one for one in package(citation(lake))["resources"] if one["name"] == TABLE.name]
    [header, *_] = csv.reader((folder / "a.csv").read_text(encoding="utf-8").splitlines())
    assert [field["name"] for field in described["schema"]["fields"]] == header


def test_parquet_keeps_types_and_values(folder: Path, lake: Lake) -> None:
    table = pq.read_table(folder / "a.parquet")
    assert table.schema.field("spent_amount").type == pa.decimal128(18, 2)
    assert table.schema.field("year").type == pa.int32()
    assert table["spent_amount"].to_pylist() == [Decimal("1234567.80"), Decimal("3.00"), Decimal("-0.50")]


# a workbook


@pytest.fixture(scope="module")
def workbook(folder: Path) -> Mapping[str, ET.Element]:
    """The parts of the file, as the format has them."""
    with zipfile.ZipFile(folder / "a.xlsx") as file:
        return {name: ET.fromstring(file.read(name)) for name in file.namelist() if name.endswith(".xml")}


def cell(workbook: Mapping[str, ET.Element], place: str) -> tuple[Any, str]:
    """Type and text of a cell of the first sheet."""
    [found] = workbook["xl/worksheets/sheet1.xml"].findall(f".//{SHEET}c[@r='{place}']")
    return found.get("t", "n"), "".join(found.itertext())


def place(column: str, row: int) -> str:
    return f"{chr(ord('A') + [one.name for one in readable_first(TABLE)].index(column))}{row}"


@pytest.mark.parametrize(
    ("column", "row", "expected"),
    [
        ("year", 2, ("n", "2016")),
        ("spent_amount", 2, ("n", "1234567.80")),
        ("deputy_key", 2, ("inlineStr", f"{KEY}")),
        ("deputy_id", 4, ("inlineStr", "0074")),
        ("deputy_name", 4, ("inlineStr", "=HYPERLINK(1)")),
        ("is_incomplete", 2, ("b", "0")),
    ],
)
def test_a_cell_has_the_type_of_its_column(
    workbook: Mapping[str, ET.Element], column: str, row: int, expected: tuple[str, str]
) -> None:
    assert cell(workbook, place(column, row)) == expected


def test_a_workbook_has_its_citation_on_a_sheet_of_its_own(workbook: Mapping[str, ET.Element]) -> None:
    assert SHA in "".join(workbook["xl/worksheets/sheet3.xml"].itertext())


def test_a_workbook_says_what_its_columns_mean(workbook: Mapping[str, ET.Element]) -> None:
    told = "".join(workbook["xl/worksheets/sheet2.xml"].itertext())
    assert [column.name for column in TABLE.columns if column.pt not in told or column.en not in told] == []


def linked(lake: Lake, path: Path, urls: list[str]) -> list[str]:
    """Of receipts with these addresses, the places that are links."""
    table = receipts.TABLE
    commit(lake, table, [row(table, year=2025, expense_key=n, receipt_url=url) for n, url in enumerate(urls)])
    export(lake, table, path, kind="xlsx")
    with zipfile.ZipFile(path) as file:
        sheet = ET.fromstring(file.read("xl/worksheets/sheet1.xml"))
    return [link.get("ref", "") for link in sheet.findall(f".//{SHEET}hyperlink")]


def test_addresses_in_a_workbook_are_links(tmp_path: Path) -> None:
    urls = ["https://www.camara.leg.br/1.pdf", "javascript:alert(1)", f"https://www.camara.leg.br/{'x' * 3000}"]
    at = [column.name for column in readable_first(receipts.TABLE)].index("receipt_url")
    assert linked(build(tmp_path), tmp_path / "a.xlsx", urls) == [f"{xl_col_to_name(at)}2"]


def test_a_sheet_has_no_more_links_than_excel_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "_MOST_LINKS", 2)
    urls = [f"https://www.camara.leg.br/{number}.pdf" for number in range(3)]
    assert len(linked(build(tmp_path), tmp_path / "a.xlsx", urls)) == 2


def test_what_does_not_fit_a_sheet_is_refused_with_what_holds_it(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "SHEET_ROWS", 3)
    with pytest.raises(ExportError, match="has 3 rows, a sheet of Excel 3: choose fewer with --years, or --format csv"):
        export(lake, TABLE, tmp_path / "a.xlsx", kind="xlsx")
    assert list(tmp_path.iterdir()) == []


# all kinds


def test_a_csv_has_its_citation_beside_it(folder: Path) -> None:
    text = (folder / "a.csv.citation.txt").read_text(encoding="utf-8")
    assert [
        word
        for word in (SHA, "Lei 12.527/2011", "versão 2025-03-02.", "serving.mart_deputies: snapshot ")
        if word not in text
    ] == []


def test_parquet_has_its_citation_within(folder: Path, lake: Lake) -> None:
    metadata = pq.read_schema(folder / "a.parquet").metadata
    cited = json.loads(metadata[b"citation"])
    assert cited["snapshots"] == {"serving.mart_deputies": str(lake.snapshot_id(TABLE))}
    assert cited["sources"][1]["sha256"] == SHA


def test_only_the_years_asked_for_are_written_and_cited(lake: Lake, tmp_path: Path) -> None:
    done = export(lake, TABLE, tmp_path / "a.csv", kind="csv", years=[2016])
    assert [row["year"] for row in rows_of(done.path, ",", "utf-8")] == ["2016"]
    assert SHA not in (tmp_path / "a.csv.citation.txt").read_text(encoding="utf-8")


def test_years_of_which_there_is_nothing_are_told_what_there_is(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="has no rows of these years; it has 2016, 2025"):
        export(lake, TABLE, tmp_path / "a.csv", kind="csv", years=[2010])


def test_a_table_without_years_is_not_cut_by_year(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"star\.dim_suppliers is not by year: leave --years out"):
        export(lake, dim_suppliers.TABLE, tmp_path / "a.csv", kind="csv", years=[2016])


def test_an_export_that_fails_leaves_the_file_that_was_there(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("of yesterday")

    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(exports, "_WRITERS", {"csv": fail})
    with pytest.raises(OSError, match="the disk is full"):
        export(lake, TABLE, path, kind="csv")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.csv": "of yesterday"}
