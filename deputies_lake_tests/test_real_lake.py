"""The lake of all real files, both sources together: the exact answers, each year from one source, nobody's CPF."""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from deputies_lake.checks.audit import auditor
from deputies_lake.contracts import Reference
from deputies_lake.raw import chamber_expenses, kaggle_reimbursements
from deputies_lake.resources import iceberg
from deputies_lake.resources.lake import Lake
from deputies_lake.staging import rejected_rows
from deputies_lake.star import fct_expenses
from deputies_lake_tests.as_typed import Shell
from deputies_lake_tests.test_architecture import WITH_A_TABLE, table_of

TRUTH_YEARS = (2016, 2019, 2020, 2021, 2022)

# What data/README.md says of the years without answers of their own.
OTHER_YEARS = {2008: (445, "211877.88"), 2015: (13_142, "8955727.17"), 2024: (1_330, "1636536.95")}

# Ids of eleven digits that belong to nobody are no personal data, but none are published either.
CPF = "[0-9]{3}[.]?[0-9]{3}[.]?[0-9]{3}-?[0-9]{2}"
LONE_CPF = f"(^|[^0-9a-f]){CPF}($|[^0-9a-f])"


@pytest.fixture(scope="module")
def lake(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Built as a person does it, from a folder with every file there is."""
    shell = Shell(tmp_path_factory.mktemp("real lake"))
    shell.prepare()
    landing = shell.home / "landing"
    landing.mkdir()
    for file in (*(real_data / "kaggle").glob("*.csv.gz"), *(real_data / "chamber").glob("*.zip")):
        (landing / file.name).symlink_to(file)
    done = shell.run(f"deputies-lake demo --input '{landing}'")
    assert done.returncode == 0, done.stdout
    return Lake(iceberg.local_catalog(shell.home / "lake" / "warehouse"))


@pytest.fixture(scope="module")
def star(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published tables, as `layer_table`, and `expenses`: the fact with the names of its dimensions."""
    with auditor() as connection:
        for module in WITH_A_TABLE:
            lake.view(connection, table_of(module))
        connection.execute(
            """
            CREATE TEMP VIEW expenses AS
            FROM star_fct_expenses
            JOIN star_dim_deputies USING (deputy_key)
            JOIN (FROM star_dim_parties SELECT party_key, party_label AS party) USING (party_key)
            JOIN (FROM star_dim_states SELECT state_key, state_code AS state) USING (state_key)
            JOIN (FROM star_dim_expense_categories SELECT expense_category_key, expense_category_id AS category)
                USING (expense_category_key)
            """
        )
        yield connection


@pytest.fixture(scope="module")
def truth(real_data: Path) -> Mapping[int, Mapping[str, Any]]:
    answers = json.loads((real_data / "truth" / "chamber_answers.json").read_text(), parse_float=Decimal)
    return {answer["year"]: answer for answer in answers}


def figures_of(star: duckdb.DuckDBPyConnection, query: str, *parameters: Any) -> dict[str, Any]:
    """The first column's texts, and what the others say of each."""
    rows = star.execute(query, parameters).fetchall()
    return {str(name): (*rest,) for name, *rest in rows}


@pytest.mark.parametrize("year", TRUTH_YEARS)
def test_a_year_of_the_house_has_its_rows_and_cents(
    star: duckdb.DuckDBPyConnection, truth: Mapping[int, Mapping[str, Any]], year: int
) -> None:
    answer = truth[year]
    (found,) = star.execute(
        """
        SELECT
            count(*), sum(net_amount), sum(document_amount), sum(deduction_amount),
            count(*) FILTER (payer_kind = 'leadership'), sum(net_amount) FILTER (payer_kind = 'leadership'),
            count(*) FILTER (net_amount < 0), coalesce(sum(net_amount) FILTER (net_amount < 0), 0),
            count(*) FILTER (net_amount = 0), count(*) FILTER (date_key = 0)
        FROM expenses WHERE year = ?
        """,
        [year],
    ).fetchall()
    names = ("rows", "sum_liquido", "sum_documento", "sum_glosa", "leadership_rows", "leadership_liquido")
    others = ("neg_rows", "neg_sum", "zero_rows", "Q10_missing_date")
    assert found == tuple(answer[name] for name in (*names, *others))


@pytest.mark.parametrize("year", OTHER_YEARS)
def test_a_year_without_answers_of_its_own_has_its_rows_and_net(star: duckdb.DuckDBPyConnection, year: int) -> None:
    rows, net = OTHER_YEARS[year]
    found = star.execute("SELECT count(*), sum(net_amount) FROM expenses WHERE year = ?", [year]).fetchone()
    assert found == (rows, Decimal(net))


@pytest.mark.parametrize("year", TRUTH_YEARS)
@pytest.mark.parametrize(
    ("question", "column", "whose"),
    [
        ("Q1_month", "competence_month", "true"),
        ("Q3_party", "party", "payer_kind = 'deputy'"),
        ("Q4_uf", "state", "payer_kind = 'deputy'"),
    ],
)
def test_each_month_party_and_state_has_its_rows_and_net(
    star: duckdb.DuckDBPyConnection,
    truth: Mapping[int, Mapping[str, Any]],
    year: int,
    question: str,
    column: str,
    whose: str,
) -> None:
    query = f"SELECT {column}, count(*), sum(net_amount) FROM expenses WHERE year = ? AND {whose} GROUP BY ALL"
    expected = {
        name: (answer[0], answer[1 if len(answer) == 2 else 2]) for name, answer in truth[year][question].items()
    }
    assert figures_of(star, query, year) == expected


@pytest.mark.parametrize("year", TRUTH_YEARS)
def test_each_category_has_its_rows_and_net(
    star: duckdb.DuckDBPyConnection, truth: Mapping[int, Mapping[str, Any]], year: int
) -> None:
    query = "SELECT category, count(*), sum(net_amount) FROM expenses WHERE year = ? GROUP BY ALL"
    assert figures_of(star, query, year) == {code: (rows, net) for code, _, rows, net, _ in truth[year]["Q5_category"]}


def test_a_year_that_only_kaggle_has_is_exact(star: duckdb.DuckDBPyConnection, real_data: Path) -> None:
    truth = json.loads((real_data / "truth" / "kaggle_shared_file.json").read_text())
    found = star.execute("SELECT count(*), sum(document_amount) FROM star_fct_expenses WHERE year = 2017").fetchone()
    assert found == (truth["rows_by_year"]["2017"], truth["total_by_year"]["2017"])


def test_offices_are_apart_from_deputies_and_all_of_one_party_member(
    star: duckdb.DuckDBPyConnection, truth: Mapping[int, Mapping[str, Any]]
) -> None:
    query = """
        SELECT year, count(*), sum(net_amount) FROM star_fct_expenses JOIN star_dim_parties USING (party_key)
        WHERE party_kind = 'leadership' AND source_code = 'chamber_expenses' GROUP BY ALL
    """
    found = {year: figures for year, figures in figures_of(star, query).items() if int(year) in TRUTH_YEARS}
    assert found == {
        str(year): (truth[year]["leadership_rows"], truth[year]["leadership_liquido"]) for year in TRUTH_YEARS
    }


def test_every_party_that_an_office_is_named_after_is_found(star: duckdb.DuckDBPyConnection) -> None:
    query = """
        SELECT count(*) FROM star_dim_deputies
        WHERE payer_kind = 'leadership' AND party_label = 'SEM PARTIDO ASSOCIADO'
            AND NOT regexp_matches(upper(deputy_name), '^LID(MIN|[.])')
    """
    assert star.execute(query).fetchone() == (0,)


@pytest.mark.parametrize("reference", fct_expenses.TABLE.references, ids=lambda reference: reference.column)
def test_a_key_leads_to_one_member(star: duckdb.DuckDBPyConnection, reference: Reference) -> None:
    column, dimension = reference.column, f"star_{reference.table}"
    lost = star.execute(f"SELECT count(*) FROM star_fct_expenses ANTI JOIN {dimension} USING ({column})").fetchone()
    shared = star.execute(f"SELECT count(*) - count(DISTINCT {column}) FROM {dimension}").fetchone()
    assert (lost, shared) == ((0,), (0,))


def test_a_key_is_of_one_row_whichever_source_it_is_from(star: duckdb.DuckDBPyConnection) -> None:
    found = star.execute("SELECT count(*) - count(DISTINCT expense_key) FROM star_fct_expenses").fetchone()
    assert found == (0,)


def test_no_row_was_rejected(lake: Lake) -> None:
    assert lake.rows(rejected_rows.TABLE) == []


def test_each_year_comes_from_one_source_the_house_where_it_has_the_year(star: duckdb.DuckDBPyConnection) -> None:
    found = figures_of(star, "SELECT year, list_sort(list(DISTINCT source_code)) FROM star_fct_expenses GROUP BY ALL")
    house, kaggle = ([source.CSV.source_code] for source in (chamber_expenses, kaggle_reimbursements))
    assert found == {str(year): (house,) for year in (*TRUTH_YEARS, *OTHER_YEARS)} | {"2017": (kaggle,)}


def test_no_supplier_of_the_house_has_an_invalid_id(star: duckdb.DuckDBPyConnection) -> None:
    query = "SELECT supplier_id_kind, count(*) FROM staging_stg_chamber_expenses GROUP BY ALL"
    assert set(figures_of(star, query)) == {"cnpj", "cpf", "functional", "none"}


# Privacy


def texts(star: duckdb.DuckDBPyConnection, lake: Lake) -> Iterator[tuple[str, str]]:
    """Every text column outside raw, as (view, column)."""
    for name, _ in lake.overview():
        view = name.replace(".", "_")
        if not name.startswith("raw."):
            for column, kind, *_ in star.execute(f"DESCRIBE {view}").fetchall():
                if kind == "VARCHAR":
                    yield view, column


def test_no_cpf_that_raw_holds_is_published(star: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    star.execute(
        """
        CREATE TEMP TABLE cpfs AS
        SELECT DISTINCT cpf FROM (
            SELECT regexp_replace(cpf, '[^0-9]', '', 'g') AS cpf FROM raw_chamber_expenses
            UNION ALL
            SELECT regexp_replace("txtCNPJCPF", '[^0-9]', '', 'g') FROM raw_chamber_expenses
        ) WHERE length(cpf) = 11
        """
    )
    assert star.execute("SELECT count(*) > 1000 FROM cpfs").fetchone() == (True,)
    found = {}
    for view, column in texts(star, lake):
        # Runs of exactly eleven digits: a CNPJ, or an access key of 44 digits, is no CPF.
        (count,) = star.execute(
            f"""
            SELECT count(*) FROM (
                SELECT DISTINCT unnest(regexp_extract_all({column}, '[0-9]+')) AS run FROM {view}
            ) WHERE run IN (FROM cpfs)
            """
        ).fetchone() or (0,)
        if count:
            found[f"{view}.{column}"] = count
    assert found == {}


def test_nothing_that_is_published_looks_like_a_cpf(star: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    found = {}
    for view, column in texts(star, lake):
        query = f"SELECT count(*), min({column}) FROM {view} WHERE regexp_matches({column}, '{LONE_CPF}')"
        count, example = star.execute(query).fetchone() or (0, "")
        if count:
            found[f"{view}.{column}"] = (count, len(example))
    assert found == {}
