"""What is possible without Spark: DuckDB makes the same tables, with the same repairs, in SQL on one machine.

It reads the file once, writes the staging table as Parquet by year, reads that back for the six dimensions and the
fact. As in the plain script nothing is checked or committed. Its hash function is not Spark's, so surrogate and row
keys have other values; all other columns can be compared with the lake's. It may use as much memory as Spark's heap.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import duckdb

from deputies_lake_tests.bench import shared

MEMORY_LIMIT: Final = "2GB"

DATES: Final = """
    SELECT
        coalesce(year(date) * 10000 + month(date) * 100 + day(date), 0)::INT AS date_key,
        date,
        year(date)::INT AS calendar_year,
        quarter(date)::INT AS quarter,
        month(date)::INT AS month,
        $months[month(date)] AS month_name_pt,
        monthname(date) AS month_name_en,
        day(date)::INT AS day,
        isoyear(date)::INT AS iso_year,
        weekofyear(date)::INT AS iso_week,
        isodow(date)::INT AS iso_weekday,
        $weekdays[isodow(date)] AS weekday_name_pt,
        dayname(date) AS weekday_name_en,
        isodow(date) >= 6 AS is_weekend,
        term_of_office::INT AS term_of_office
    FROM (
        SELECT generate_series::DATE AS date
        FROM generate_series($first_day::DATE, make_date(year(today())::INT + 1, 12, 31), INTERVAL 1 DAY)
        UNION ALL SELECT NULL
    )
    LEFT JOIN terms_of_office ON date BETWEEN first_date::DATE AND last_date::DATE
"""

DEPUTIES: Final = """
    SELECT
        key('deputy', deputy_id) AS deputy_key,
        * EXCLUDE (party_label),
        coalesce(
            if(
                payer_kind = 'leadership',
                $labels[list_position($names, regexp_replace(upper(deputy_name), $office_of, ''))],
                NULL
            ),
            party_label
        ) AS party_label,
        NULL::VARCHAR AS deputy_register_id
    FROM (
        SELECT
            deputy_id,
            arg_max(deputy_name, (year, deputy_name)) AS deputy_name,
            if(bool_and(is_leadership), 'leadership', 'deputy') AS payer_kind,
            arg_max(party_label, (year, party_label)) AS party_label,
            max((year, state_code)) FILTER (state_code IS NOT NULL)[2] AS state_code,
            min(year) AS first_year,
            max(year) AS last_year
        FROM staged GROUP BY deputy_id
        UNION ALL SELECT 'UNKNOWN', 'Desconhecido / Unknown', 'unknown', 'UNKNOWN', NULL, NULL, NULL
    )
"""

PARTIES: Final = """
    WITH labels AS (
        SELECT upper(party_label) AS label, max(party_label) AS party_label FROM staged GROUP BY ALL
        UNION ALL SELECT 'UNKNOWN', 'UNKNOWN'
    )
    SELECT
        key('party', label) AS party_key,
        labels.party_label,
        CASE
            WHEN label = 'UNKNOWN' THEN 'unknown'
            WHEN label = 'SEM PARTIDO ASSOCIADO' THEN 'leadership'
            WHEN label IN ('S.PART.', 'S/PARTIDO') THEN 'no_party'
            ELSE 'party'
        END AS party_kind,
        coalesce(party_label_today, labels.party_label) AS party_label_today,
        if(event IS NOT NULL, concat_ws(', ', event, happened), NULL) AS party_event
    FROM labels LEFT JOIN party_events ON upper(party_events.party_label) = label
"""

STATES: Final = """
    SELECT key('state', state_code) AS state_key, * FROM (
        SELECT state_code, state_name, region_pt, region_en FROM states
        UNION ALL VALUES
            ('NONE', 'Sem UF (lideranças) / No state (leadership offices)', 'Sem região', 'No region'),
            ('UNKNOWN', 'Desconhecida / Unknown', 'Desconhecida', 'Unknown')
        UNION ALL
        SELECT DISTINCT state_code, state_code, 'Desconhecida', 'Unknown'
        FROM staged ANTI JOIN states USING (state_code) WHERE state_code IS NOT NULL
    )
"""

SUPPLIERS: Final = """
    WITH spellings AS (
        SELECT
            supplier_token, supplier_id, supplier_id_kind, supplier_name, sum(abs(document_amount)) AS spent
        FROM staged GROUP BY ALL
    )
    SELECT
        key('supplier', supplier_token) AS supplier_key,
        supplier_id,
        supplier_id_kind,
        if(supplier_id_kind = 'cnpj', supplier_id[:8], NULL) AS supplier_root,
        supplier_name,
        spellings
    FROM (
        SELECT
            supplier_token,
            any_value(supplier_id) AS supplier_id,
            any_value(supplier_id_kind) AS supplier_id_kind,
            arg_max(supplier_name, (spent, supplier_name)) AS supplier_name,
            count(*) AS spellings
        FROM spellings GROUP BY supplier_token
        UNION ALL SELECT 'UNKNOWN', NULL, 'unknown', 'Desconhecido / Unknown', 0
    )
"""

CATEGORIES: Final = """
    SELECT key('expense_category', coalesce(expense_category_id, 'label:' || kaggle_label)) AS expense_category_key, *
    FROM (
        SELECT
            expense_category_id, name_pt, name_en, group_pt, group_en, label AS kaggle_label,
            $labels[list_position($codes, expense_category_id)] AS chamber_label, note
        FROM expense_categories LEFT JOIN labels USING (expense_category_id)
        UNION ALL SELECT NULL, 'Desconhecida', 'Unknown', 'Desconhecido', 'Unknown', NULL, NULL, NULL
        UNION ALL
        SELECT DISTINCT
            NULL, label, label, 'Sem código', 'Without a code', label, NULL,
            'Label not in the reference: it loads as itself'
        FROM (SELECT expense_category_label AS label FROM staged WHERE expense_category_id IS NULL)
    )
"""

FACT: Final = """
    SELECT
        year,
        expense_key,
        coalesce(year(receipt_date) * 10000 + month(receipt_date) * 100 + day(receipt_date), 0)::INT AS date_key,
        key('deputy', deputy_id) AS deputy_key,
        key('party', upper(party_label)) AS party_key,
        key('state', coalesce(state_code, if(is_leadership, 'NONE', NULL))) AS state_key,
        key('supplier', supplier_token) AS supplier_key,
        key('expense_category', coalesce(expense_category_id, 'label:' || expense_category_label))
            AS expense_category_key,
        key('document_type', NULL) AS document_type_key,
        'kaggle_reimbursements' AS source_code,
        document_amount,
        source_file,
        {only_of_the_house}
    FROM staged
"""

STAGING: Final = """
    WITH published AS (
        SELECT
            *,
            receipt_date[:4]::INT AS quota_year,
            hash({columns}) AS row_hash,
            TRY_CAST(receipt_social_security_number AS DOUBLE) AS as_float
        FROM read_csv(
            $file, header = true, delim = ',', quote = '"', escape = '"', all_varchar = true, auto_detect = false,
            columns = {{{types}}}
        )
    ), numbered AS (
        SELECT
            *,
            row_number() OVER (PARTITION BY row_hash) AS occurrence,
            CASE WHEN as_float >= 0 AND as_float < 1e14 AND as_float = floor(as_float) THEN as_float::BIGINT END AS n,
            coalesce(establishment_name, '') AS raw_name
        FROM published
    ), checked AS (
        SELECT *, {is_cnpj} AS is_cnpj, n < 100000000000 AND {is_cpf} AS is_cpf FROM numbered
    ), kinds AS (
        SELECT
            *,
            CASE
                WHEN receipt_social_security_number IS NULL THEN 'none'
                WHEN n IS NULL THEN 'invalid'
                WHEN n < 100 THEN 'functional'
                WHEN is_cnpj AND is_cpf THEN 'cpf_or_cnpj'
                WHEN is_cnpj THEN 'cnpj'
                WHEN is_cpf THEN 'cpf'
                ELSE 'invalid'
            END AS kind
        FROM checked
    ), suppliers AS (
        SELECT
            *,
            coalesce(
                lpad(n::VARCHAR, if(kind IN ('cnpj', 'functional') OR n >= 100000000000, 14, 11), '0'),
                receipt_social_security_number
            ) AS digits,
            kind IN ('cpf', 'cpf_or_cnpj') OR (kind = 'invalid' AND length(digits) <> 14) AS is_personal,
            regexp_replace(raw_name, '[0-9]{{11}}', '***********', 'g') AS supplier_name
        FROM kinds
    )
    SELECT
        quota_year AS year,
        (hash(row_hash, occurrence) >> 1)::BIGINT AS expense_key,
        CASE WHEN bugged_date = '0' AND receipt_date[5] = '-' THEN receipt_date[:10]::DATE END AS receipt_date,
        deputy_id,
        trim(suppliers.deputy_name) AS deputy_name,
        state_code = 'Vazio' AND (
            regexp_matches(upper(trim(suppliers.deputy_name)), $office_name)
            OR upper(trim(suppliers.deputy_name)) IN $office_labels
        ) AS is_leadership,
        trim(political_party) AS party_label,
        nullif(state_code, 'Vazio') AS state_code,
        receipt_description AS expense_category_label,
        expense_category_id,
        if(is_personal, '***.' || digits[4:6] || '.' || digits[7:9] || '-**', digits) AS supplier_id,
        kind AS supplier_id_kind,
        CASE
            WHEN kind = 'none' THEN upper(trim(regexp_replace(supplier_name, ' +', ' ', 'g')))
            WHEN is_personal THEN sha256($outer || unhex(sha256($inner || encode(digits))))
            ELSE digits
        END AS supplier_token,
        supplier_name,
        receipt_value::DECIMAL(14, 2) AS document_amount,
        $file_name AS source_file
    FROM suppliers LEFT JOIN labels ON label = receipt_description
"""


def main() -> None:
    given = shared.arguments(__doc__)
    given.output.mkdir(parents=True)
    with duckdb.connect() as connection:
        write(connection, given.input, given.output)


def write(connection: duckdb.DuckDBPyConnection, csv: Path, output: Path) -> None:
    connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
    connection.execute("SET temp_directory = $1", [str(output / "spilled")])
    connection.execute("SET preserve_insertion_order = false")
    connection.execute(
        "CREATE MACRO key(entity, natural_id) AS (hash(entity || '|' || coalesce(natural_id, 'UNKNOWN')) >> 1)::BIGINT"
    )
    for name in ("party_events", "states", "expense_categories", "expense_category_labels", "terms_of_office"):
        path = shared.REFERENCE / f"{name}.csv"
        connection.read_csv(str(path), header=True, all_varchar=True).create_view(name)

    connection.execute("CREATE VIEW labels AS FROM expense_category_labels WHERE source_code = 'kaggle_reimbursements'")

    def copy(query: str, name: str, options: str = "", **values: object) -> None:
        folder = output / name
        folder.mkdir()
        target = folder if options else folder / "data.parquet"
        connection.execute(f"COPY ({query}) TO '{target}' (FORMAT parquet, COMPRESSION zstd{options})", values or None)

    by_year = ", PARTITION_BY (year)"
    inner, outer = shared.hmac_pads()
    copy(
        _staging_query(),
        "stg_kaggle_reimbursements",
        by_year,
        file=str(csv),
        file_name=csv.name,
        inner=inner,
        outer=outer,
        office_name=shared.OFFICE_NAME,
        office_labels=shared.office_labels(),
    )
    connection.read_parquet(f"{output}/stg_kaggle_reimbursements/*/*.parquet", hive_partitioning=True).create_view(
        "staged"
    )
    of_the_house = ", ".join(f"NULL::{kind} AS {name}" for name, kind in shared.ONLY_OF_THE_HOUSE.items())
    copy(FACT.format(only_of_the_house=of_the_house), "fct_expenses", by_year)
    copy(SUPPLIERS, "dim_suppliers")
    parties, house = shared.parties_in_names(), shared.house_labels()
    copy(DEPUTIES, "dim_deputies", names=[*parties], labels=[*parties.values()], office_of=shared.OFFICE_OF)
    copy(PARTIES, "dim_parties")
    copy(STATES, "dim_states")
    copy(CATEGORIES, "dim_expense_categories", codes=[*house], labels=[*house.values()])
    copy(
        DATES,
        "dim_dates",
        months=shared.MONTHS_PT,
        weekdays=shared.WEEKDAYS_PT,
        first_day=shared.FIRST_DAY,
    )


def _staging_query() -> str:
    return STAGING.format(
        columns=", ".join(shared.CSV_COLUMNS),
        types=", ".join(f"{name}: 'VARCHAR'" for name in shared.CSV_COLUMNS),
        is_cnpj=check_digits("n", shared.CNPJ_WEIGHTS),
        is_cpf=check_digits("n", shared.CPF_WEIGHTS),
    )


def check_digits(number: str, weights: Sequence[int]) -> str:
    first, second = _check_digit(number, 2, weights[:-1]), _check_digit(number, 1, weights)
    return f"({first} * 10 + {second} = {number} % 100)"


def _check_digit(number: str, first_place: int, weights: Sequence[int]) -> str:
    digits = [f"({number} // {10 ** (first_place + i)}) % 10 * {weight}" for i, weight in enumerate(weights)]
    return f"(({' + '.join(digits)}) * 10 % 11 % 10)"


if __name__ == "__main__":
    main()
