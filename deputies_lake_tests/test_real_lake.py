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
from deputies_lake.lakehouse import iceberg
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.raw import chamber_expenses, kaggle_reimbursements
from deputies_lake.staging import rejected_rows
from deputies_lake.star import fct_expenses
from deputies_lake_tests.as_typed import Shell
from deputies_lake_tests.test_architecture import WITH_A_TABLE, table_of

Truth = Mapping[int, Mapping[str, Any]]

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
def truth(real_data: Path) -> Truth:
    answers = json.loads((real_data / "truth" / "chamber_answers.json").read_text(), parse_float=Decimal)
    return {answer["year"]: answer for answer in answers}


@pytest.fixture(scope="module")
def marts(star: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The same tables: the marts are `serving_<name>`."""
    return star


def figures_of(star: duckdb.DuckDBPyConnection, query: str, *parameters: Any) -> dict[str, Any]:
    """The first column's texts, and what the others say of each."""
    rows = star.execute(query, parameters).fetchall()
    return {str(name): (*rest,) for name, *rest in rows}


@pytest.mark.parametrize("year", TRUTH_YEARS)
def test_a_year_of_the_house_has_its_rows_and_cents(star: duckdb.DuckDBPyConnection, truth: Truth, year: int) -> None:
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
    truth: Truth,
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
def test_each_category_has_its_rows_and_net(star: duckdb.DuckDBPyConnection, truth: Truth, year: int) -> None:
    query = "SELECT category, count(*), sum(net_amount) FROM expenses WHERE year = ? GROUP BY ALL"
    assert figures_of(star, query, year) == {code: (rows, net) for code, _, rows, net, _ in truth[year]["Q5_category"]}


ACCOUNT = ("gross_amount", "deduction_amount", "refund_amount", "difference_amount", "net_amount")

# What the House paid less than the documents less the deductions, counted in the files with another program.
DIFFERENCES = {2016: "-355075.30", 2019: "-29941.54", 2020: "-297.84", 2021: "-12966.22", 2022: "-116013.19"}


@pytest.mark.parametrize("year", TRUTH_YEARS)
@pytest.mark.parametrize("mart", ["mart_months", "mart_categories", "mart_deputies"])
def test_a_years_account_closes_to_the_cent(
    star: duckdb.DuckDBPyConnection, truth: Truth, mart: str, year: int
) -> None:
    sums = ", ".join(f"sum({name})" for name in ACCOUNT)
    found = star.execute(f"SELECT {sums} FROM serving_{mart} WHERE year = ?", [year]).fetchone() or ()
    gross, deduction, refund, difference, net = found
    assert gross - deduction + refund + difference == net
    answer = truth[year]
    assert (deduction, refund, net) == tuple(answer[name] for name in ("sum_glosa", "neg_sum", "sum_liquido"))
    assert difference == Decimal(DIFFERENCES[year])


def test_each_line_of_the_year_table_closes_to_the_cent(star: duckdb.DuckDBPyConnection) -> None:
    gross, deduction, refund, difference, net = ACCOUNT
    (found,) = star.execute(
        f"SELECT count(*), count(*) FILTER ({gross} - {deduction} + {refund} + {difference} <> {net}) "
        f"FROM serving_mart_months WHERE {net} IS NOT NULL"
    ).fetchall()
    assert found[0] > 0
    assert found[1] == 0


def test_a_year_says_how_far_its_file_goes(star: duckdb.DuckDBPyConnection) -> None:
    found = figures_of(star, "SELECT year, last_month, is_incomplete, rejected_lines FROM serving_publications")
    stopped = {2015: 2, 2016: 3, 2017: 7, 2019: 2, 2020: 2, 2021: 3, 2022: 7}
    assert found == {
        **{str(year): (month, True, 0) for year, month in stopped.items()},
        **{str(year): (12, False, 0) for year in (2008, 2024)},
    }


def test_no_deputy_of_a_year_has_two_parties(star: duckdb.DuckDBPyConnection) -> None:
    # What the known gap `party_may_be_todays` rests on.
    query = """
        SELECT count(*) FROM (
            SELECT deputy_key FROM expenses WHERE year = 2022 AND payer_kind = 'deputy'
            GROUP BY deputy_key HAVING count(DISTINCT party) > 1)
    """
    assert star.execute(query).fetchone() == (0,)


def test_a_year_that_only_kaggle_has_is_exact(star: duckdb.DuckDBPyConnection, real_data: Path) -> None:
    truth = json.loads((real_data / "truth" / "kaggle_shared_file.json").read_text())
    found = star.execute("SELECT count(*), sum(document_amount) FROM star_fct_expenses WHERE year = 2017").fetchone()
    assert found == (truth["rows_by_year"]["2017"], truth["total_by_year"]["2017"])


def test_offices_are_apart_from_deputies_and_all_of_one_party_member(
    star: duckdb.DuckDBPyConnection, truth: Truth
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


# The ten questions, answered by the marts.


@pytest.mark.parametrize("year", TRUTH_YEARS)
def test_question_1_each_month(marts: duckdb.DuckDBPyConnection, truth: Truth, year: int) -> None:
    query = "SELECT month, sum(receipts), sum(net_amount) FROM serving_mart_months WHERE year = ? GROUP BY ALL"
    assert figures_of(marts, query, year) == {month: (*rest,) for month, rest in truth[year]["Q1_month"].items()}


@pytest.mark.parametrize("year", TRUTH_YEARS)
def test_question_2_the_deputies_who_spent_most(marts: duckdb.DuckDBPyConnection, truth: Truth, year: int) -> None:
    found = marts.execute(
        """
        SELECT deputy_register_id, receipts, net_amount FROM serving_mart_deputies
        WHERE year = ? AND payer_kind = 'deputy' ORDER BY net_amount DESC LIMIT 10
        """,
        [year],
    ).fetchall()
    assert found == [(number, rows, net) for number, _, _, _, rows, net in truth[year]["Q2_top_deputies"]]
    query = "SELECT count(*) FROM serving_mart_deputies WHERE year = ? AND payer_kind = 'deputy'"
    assert marts.execute(query, [year]).fetchone() == (truth[year]["deputies"],)


@pytest.mark.parametrize("year", TRUTH_YEARS)
@pytest.mark.parametrize(
    ("question", "mart", "name", "where"),
    [
        ("Q3_party", "mart_parties", "party_label", "party_kind <> 'leadership'"),
        ("Q4_uf", "mart_states", "state_code", "state_code <> 'NONE'"),
    ],
)
def test_questions_3_and_4_each_party_and_state(
    marts: duckdb.DuckDBPyConnection, truth: Truth, year: int, question: str, mart: str, name: str, where: str
) -> None:
    query = f"""
        SELECT {name}, receipts, deputies, net_amount, spent_per_deputy
        FROM serving_{mart} WHERE year = ? AND {where}
    """
    found = figures_of(marts, query, year)
    assert {label: of_label[:3] for label, of_label in found.items()} == {
        label: (*of_label[:3],) for label, of_label in truth[year][question].items()
    }
    # The answers round half a cent to even, the lake away from zero.
    assert all(
        abs(of_label[3] - truth[year][question][label][3]) <= Decimal("0.01") for label, of_label in found.items()
    )


@pytest.mark.parametrize("year", TRUTH_YEARS)
def test_question_5_each_category_and_its_share(marts: duckdb.DuckDBPyConnection, truth: Truth, year: int) -> None:
    query = """
        SELECT expense_category_id, receipts, net_amount, round(share_of_year * 100, 2)
        FROM serving_mart_categories WHERE year = ?
    """
    assert figures_of(marts, query, year) == {
        code: (rows, net, share) for code, _, rows, net, share in truth[year]["Q5_category"]
    }


@pytest.mark.parametrize("year", TRUTH_YEARS)
def test_question_6_the_suppliers_who_were_paid_most(marts: duckdb.DuckDBPyConnection, truth: Truth, year: int) -> None:
    companies = "year = ? AND supplier_id_kind NOT IN ('functional', 'none')"
    found = marts.execute(
        f"""
        SELECT supplier_id, receipts, net_amount FROM serving_mart_supplier_branches
        WHERE {companies} ORDER BY net_amount DESC LIMIT 10
        """,
        [year],
    ).fetchall()
    answer = truth[year]
    assert found == [(number, rows, net) for number, _, rows, _, net in answer["Q6_top_suppliers"]]
    exclusive = marts.execute(
        f"""
        SELECT count(*), coalesce(sum(net_amount), 0) FROM serving_mart_supplier_branches
        WHERE {companies} AND only_deputy_key IS NOT NULL AND net_amount >= 50000
        """,
        [year],
    ).fetchone()
    assert exclusive == (answer["Q6_exclusive_ge_50k"], answer["Q6_exclusive_ge_50k_sum"])


# The answers of 2016 were not computed: its quotas changed twice within the vintage.
@pytest.mark.parametrize("year", [year for year in TRUTH_YEARS if year != 2016])
def test_question_7_shares_of_quotas_and_limits(marts: duckdb.DuckDBPyConnection, truth: Truth, year: int) -> None:
    answer = truth[year]
    query = "SELECT count(*), count(*) FILTER (share_of_quota > 1) FROM serving_mart_quota_shares WHERE year = ?"
    assert marts.execute(query, [year]).fetchone() == (answer["Q7_deputy_months"], answer["Q7_over_quota"])
    largest = marts.execute(
        """
        SELECT deputy_register_id, m.state_code, month, spent_amount, round(share_of_quota, 4)
        FROM serving_mart_quota_shares AS m JOIN star_dim_deputies USING (deputy_key)
        WHERE year = ? ORDER BY share_of_quota DESC LIMIT 3
        """,
        [year],
    ).fetchall()
    assert largest == [(*rest,) for rest in answer["Q7_top"]]
    limits = """
        SELECT expense_category_id, count(*), count(*) FILTER (share_of_limit > 1), max(spent_amount)
        FROM serving_mart_sub_limits WHERE year = ? GROUP BY ALL
    """
    expected = answer["Q7_sub_limit{code:[deputy-months,over,max]}"]
    assert figures_of(marts, limits, year) == {code: (*rest,) for code, rest in expected.items() if rest[0]}


@pytest.mark.parametrize("year", TRUTH_YEARS)
def test_question_8_the_largest_receipts_and_outliers(
    marts: duckdb.DuckDBPyConnection, truth: Truth, year: int
) -> None:
    answer = truth[year]
    query = """
        SELECT spent_amount FROM serving_mart_largest_receipts
        WHERE year = ? AND rank_of_year <= 5 ORDER BY rank_of_year
    """
    assert marts.execute(query, [year]).fetchall() == [(amount,) for *_, amount in answer["Q8_largest"]]
    query = "SELECT sum(far_above_mean), sum(far_above_quartile) FROM serving_mart_outliers WHERE year = ?"
    expected = (answer["Q8_z3_by_category_total"], answer["Q8_extreme_Q3+3IQR"])
    assert marts.execute(query, [year]).fetchone() == expected


@pytest.mark.parametrize("year", TRUTH_YEARS)
def test_question_9_first_digits(marts: duckdb.DuckDBPyConnection, truth: Truth, year: int) -> None:
    query = "SELECT first_digit, receipts FROM serving_mart_first_digits WHERE year = ?"
    expected = truth[year]["Q9_benford_first_digit_vlrDocumento_gt0"]
    assert figures_of(marts, query, year) == {digit: (rows,) for digit, rows in expected.items()}
    deviation = """
        SELECT round(avg(abs(share_of_receipts - expected_share)), 5) FROM serving_mart_first_digits WHERE year = ?
    """
    (found,) = marts.execute(deviation, [year]).fetchone() or ()
    assert Decimal(str(found)) == truth[year]["Q9_MAD"]


@pytest.mark.parametrize("year", TRUTH_YEARS)
def test_question_10_points_of_attention(marts: duckdb.DuckDBPyConnection, truth: Truth, year: int) -> None:
    answer = truth[year]
    query = "SELECT point_id, receipts FROM serving_mart_points_of_attention WHERE year = ?"
    found = figures_of(marts, query, year)
    names = {
        "missing_date": "Q10_missing_date",
        "weekend": "Q10_weekend_rows",
        "other_year": "Q10_year_mismatch",
        "after_quota_month": "Q10_month_after_numMes_sameyear",
        "duplicate_invoice": "Q10_dup_invoice_rows(ideCadastro,doc,txtNumero,datEmissao,vlrDocumento)",
        "functional_supplier": "Q10_pseudo_doc",
        "no_supplier_id": "Q10_empty_doc",
        "private_person": "Q10_docs_11",
        "leadership": "leadership_rows",
        "refund": "neg_rows",
        "nothing_paid": "zero_rows",
    }
    assert {point: found.get(point, (0,))[0] for point in names} == {
        point: answer[name] for point, name in names.items()
    }
    assert found.get("invalid_supplier_id", (0,))[0] == answer["Q10_invalid_cnpj_rows"] + answer["Q10_invalid_cpf_rows"]


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
        # Wherever in a longer number it stands.
        (count,) = star.execute(
            f"""
            SELECT count(*) FROM (
                SELECT DISTINCT run, unnest(range(1, length(run) - 9)) AS place
                FROM (SELECT unnest(regexp_extract_all({column}, '[0-9]{{11,}}')) AS run FROM {view})
            ) WHERE substring(run, place, 11) IN (FROM cpfs)
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
