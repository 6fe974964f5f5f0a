"""The dictionary: nothing that readers see is left out, and the page finds it without a network, on a phone too."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from deputies_lake.contracts import LAYERS, MONEY, SHARE, TOTAL, TYPES
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.serving import data_dictionary, dictionary
from deputies_lake.serving.citation import citation
from deputies_lake.tables import SERVED, served_tables, tables_of
from deputies_lake_tests.browser import chromium
from deputies_lake_tests.serving.small_lake import SHA
from deputies_lake_tests.test_architecture import WITH_A_TABLE, table_of

ALL_COLUMNS = [(table.name, column.name) for table in served_tables().values() for column in table.columns]


@pytest.fixture(scope="module")
def files(lake: Lake) -> Mapping[str, bytes]:
    return dictionary.files(citation(lake))


def row_of(table: str, column: str) -> Mapping[str, Any]:
    [row] = [r for r in data_dictionary.rows() if (r["table_name"], r["column_name"]) == (table, column)]
    return row


# rows


def test_every_table_is_found_where_it_is_declared() -> None:
    declared = {table_of(module) for module in WITH_A_TABLE}
    assert set(tables_of(*LAYERS)) == declared == set(tables_of())


def test_only_what_readers_see_is_served() -> None:
    assert {table.layer for table in served_tables().values()} == {*SERVED}


def test_each_column_that_readers_see_has_its_row() -> None:
    assert [(row["table_name"], row["column_name"]) for row in data_dictionary.rows()] == ALL_COLUMNS


def test_a_row_has_the_columns_of_its_table() -> None:
    assert {tuple(row) for row in data_dictionary.rows()} == {data_dictionary.TABLE.column_names}


def test_what_is_required_is_there_in_each_row() -> None:
    empty = {name for row in data_dictionary.rows() for name in data_dictionary.TABLE.required if row[name] is None}
    assert empty == set()


def test_an_amount_is_in_brl_and_a_share_is_a_part_of_one() -> None:
    units = {(row["column_type"], row["unit"]) for row in data_dictionary.rows()}
    assert {kind: unit for kind, unit in units if unit} == {MONEY: "BRL", TOTAL: "BRL", SHARE: "1"}


def test_a_column_goes_back_to_the_files_as_they_were_published() -> None:
    row = row_of("mart_months", "net_amount")
    assert (row["sources"], row["published_sources"]) == ("fct_expenses.net_amount", "chamber_expenses.vlrLiquido")


def test_a_key_that_is_made_of_a_whole_row_is_said_in_a_word() -> None:
    told = row_of("mart_months", "receipts")["published_sources"]
    assert told == "chamber_expenses.*, kaggle_reimbursements.*"


def test_a_key_says_to_which_table_it_leads() -> None:
    assert row_of("fct_expenses", "deputy_key")["references_table"] == "star.dim_deputies"


# files


def test_the_csv_has_every_row(files: Mapping[str, bytes]) -> None:
    rows = list(csv.DictReader(io.StringIO(files["dictionary.csv"].decode())))
    assert [(row["table_name"], row["column_name"]) for row in rows] == ALL_COLUMNS


@pytest.fixture(scope="module")
def package(files: Mapping[str, bytes]) -> Any:
    return json.loads(files["datapackage.json"])


def test_the_descriptor_has_a_resource_for_each_table(package: Any) -> None:
    assert [resource["name"] for resource in package["resources"]] == list(served_tables())


def test_names_are_as_the_standard_wants_them(package: Any) -> None:
    names = [package["name"], *(resource["name"] for resource in package["resources"])]
    assert [name for name in names if not re.fullmatch(r"[-a-z0-9._/]+", name)] == []


def test_types_are_those_of_the_standard(package: Any) -> None:
    types = {field["type"] for resource in package["resources"] for field in resource["schema"]["fields"]}
    assert types <= {"string", "integer", "number", "boolean", "date", "datetime"}
    assert set(dictionary._TYPES) == set(TYPES)


def test_keys_are_of_fields_that_there_are(package: Any) -> None:
    fields = {one["name"]: {field["name"] for field in one["schema"]["fields"]} for one in package["resources"]}
    for resource in package["resources"]:
        schema = resource["schema"]
        assert {*schema["primaryKey"]} <= fields[resource["name"]]
        for key in schema["foreignKeys"]:
            assert {*key["fields"]} <= fields[resource["name"]]
            assert {*key["reference"]["fields"]} <= fields[key["reference"]["resource"]]


def test_the_descriptor_says_licence_version_and_sources(package: Any) -> None:
    assert package["version"].startswith("2025-03-02.")
    assert [set(licence) >= {"title", "path"} for licence in package["licenses"]] == [True]
    assert {"title": "2025: Ano-2025.csv.zip", "sha256": SHA} in package["sources"]


# the page


def test_the_page_asks_no_network(files: Mapping[str, bytes]) -> None:
    page = files["dictionary.html"].decode()
    assert re.findall(r"""(?:src|href)=["'](?!#)[^"']*""", page) == []
    assert re.findall(r"url\(|@import|fetch\(", page) == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    with chromium(width=360, height=740) as opened:
        yield opened


@pytest.fixture
def page(browser: Chrome, files: Mapping[str, bytes], tmp_path: Path) -> Chrome:
    file = tmp_path / "dictionary.html"
    file.write_bytes(files["dictionary.html"])
    browser.get(file.as_uri())
    return browser


def shown(page: Chrome) -> list[str]:
    """The columns that are in view, or would be after scrolling."""
    rows = "return [...document.querySelectorAll('tbody tr')].filter((row) => row.offsetParent).map((row) => row.id)"
    found: list[str] = page.execute_script(rows)
    return found


def search(page: Chrome, text: str) -> None:
    page.find_element(By.ID, "wanted").send_keys(text)


def test_the_page_shows_every_column(page: Chrome) -> None:
    assert shown(page) == [f"{table}.{column}" for table, column in ALL_COLUMNS]


def test_a_search_finds_words_without_their_accents(page: Chrome) -> None:
    search(page, "liquido mart_months")
    assert "mart_months.net_amount" in shown(page)
    assert {name.partition(".")[0] for name in shown(page)} == {"mart_months"}


def test_a_search_says_how_many_it_found(page: Chrome) -> None:
    search(page, "vlrliquido")
    assert page.find_element(By.ID, "found").text == f"{len(shown(page))} colunas"


def test_a_link_to_a_column_shows_it_whatever_was_searched_for(page: Chrome) -> None:
    search(page, "nothing has this")
    page.execute_script("location.hash = '#mart_months.net_amount'")
    assert "mart_months.net_amount" in shown(page)
    top, bottom = page.execute_script(
        "return [document.getElementById('mart_months.net_amount').getBoundingClientRect().top, "
        "document.querySelector('[role=search]').getBoundingClientRect().bottom]"
    )
    assert bottom <= top < 740


def test_the_page_speaks_english_when_asked(page: Chrome) -> None:
    page.find_element(By.ID, "switch").click()
    assert page.find_element(By.TAG_NAME, "h1").text == "Data dictionary"
    assert page.find_element(By.TAG_NAME, "html").get_attribute("lang") == "en"


def test_a_phone_shows_it_without_scrolling_sideways(page: Chrome) -> None:
    # Headless Chromium makes no window narrower than 500 pixels: the phone's width is set on the page itself.
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    )
    assert page.execute_script("return [innerWidth, document.documentElement.scrollWidth]") == [360, 360]


def test_the_page_runs_without_an_error(page: Chrome) -> None:
    assert page.get_log("browser") == []  # type: ignore[no-untyped-call]
