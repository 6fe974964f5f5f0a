"""A year of the House's file without Spark: DuckDB types its rows and makes the fact's, in SQL on one machine.

It reads the archive once, writes the rows of staging as Parquet and from them the fact's, and nothing else: it keeps no
versions, compares with none, checks and commits nothing. Its hash function is not Spark's, so keys have other values.
"""

import shutil
import zipfile
from pathlib import Path
from typing import Final

import duckdb

from deputies_lake.raw import chamber_expenses
from deputies_lake_tests.bench import shared
from deputies_lake_tests.bench.duckdb_peer import MEMORY_LIMIT, check_digits

# What may hold a person's id enters a row's key as a keyed hash only.
HIDDEN: Final = (
    "cpf",
    "txtPassageiro",
    "nuCarteiraParlamentar",
    "txtFornecedor",
    "txtCNPJCPF",
    "txtNumero",
    "txtTrecho",
)

MACROS: Final = """
    CREATE MACRO key(entity, natural_id) AS (hash(entity || '|' || coalesce(natural_id, 'UNKNOWN')) >> 1)::BIGINT;
    CREATE MACRO txt(text) AS nullif(trim(text), '');
    CREATE MACRO id(text) AS CASE WHEN trim(text) NOT IN ('0', 'NA') THEN txt(text) END;
    CREATE MACRO amount(text) AS TRY_CAST(nullif(text, '') AS DECIMAL(14, 2));
    CREATE MACRO day_of(text) AS CASE WHEN length(text) >= 10 THEN TRY_CAST(text[:10] AS DATE) END;
    CREATE MACRO redacted(text) AS CASE
        WHEN regexp_matches(text, '[0-9]{11}|[0-9]{3}[.][0-9]{3}[.][0-9]{3}[-/ ]?[0-9]{2}') THEN regexp_replace(
            regexp_replace(text, '[0-9]{11}', '***********', 'g'),
            '(^|[^0-9])[0-9]{3}[.][0-9]{3}[.][0-9]{3}[-/ ]?[0-9]{2}($|[^0-9])', '\\1***.***.***-**\\2', 'g'
        )
        ELSE text END;
    CREATE MACRO place(bare, i) AS ascii(bare[i]) - 48;
"""

STAGING: Final = """
    WITH published AS (
        SELECT
            *,
            hash({told}, sha256($outer || unhex(sha256($inner || encode(concat_ws(chr(31), {hidden})))))) AS row_hash,
            upper(translate(txtCNPJCPF, './- ', '')) AS bare,
            CASE WHEN length(bare) IN (11, 14) THEN TRY_CAST(bare AS BIGINT) END AS n,
            CASE WHEN regexp_matches(trim(sgUF), '^[A-Z]{{2}}$') AND trim(sgUF) <> 'NA' THEN trim(sgUF) END AS state,
            day_of(trim(datEmissao)) AS issued,
            coalesce(year(issued) BETWEEN 2007 AND year(today()) + 1, false) AS is_possible
        FROM read_csv(
            $file, header = true, delim = ';', quote = '"', escape = '"', all_varchar = true, auto_detect = false,
            force_not_null = [{names}], columns = {{{types}}}
        )
    ), checked AS (
        SELECT
            *,
            row_number() OVER (PARTITION BY row_hash) AS occurrence,
            length(bare) = 14 AND CASE
                WHEN n IS NOT NULL THEN {is_cnpj}
                WHEN regexp_matches(bare, '^[0-9A-Z]{{12}}[0-9]{{2}}$') THEN {is_lettered}
                ELSE false
            END AS is_cnpj,
            length(bare) = 11 AND n IS NOT NULL AND {is_cpf} AS is_cpf,
        FROM published
    ), kinds AS (
        SELECT
            *,
            CASE
                WHEN bare = '' THEN 'none'
                WHEN n < 100 THEN 'functional'
                WHEN is_cnpj THEN 'cnpj'
                WHEN is_cpf THEN 'cpf'
                ELSE 'invalid'
            END AS kind,
            CASE WHEN kind <> 'none' THEN coalesce(
                lpad(n::VARCHAR, if(kind IN ('cnpj', 'functional') OR n >= 100000000000, 14, 11), '0'), bare
            ) END AS digits,
            kind = 'cpf' OR (kind = 'invalid' AND (n IS NULL OR n < 100000000000)) AS is_personal,
            redacted(txtFornecedor) AS supplier_name,
            coalesce(
                (state IS NULL AND (
                    regexp_matches(upper(trim(txNomeParlamentar)), $office_name)
                    OR upper(trim(txNomeParlamentar)) IN $office_labels
                )) OR (state IS NULL AND id(ideCadastro) IS NULL), false
            ) AS is_leadership
        FROM checked
    )
    SELECT
        $year::INT AS year,
        (hash(row_hash, occurrence) >> 1)::BIGINT AS expense_key,
        CASE WHEN is_possible THEN issued END AS receipt_date,
        trim(datEmissao) <> '' AND NOT is_possible AS is_date_impossible,
        coalesce(id(nuDeputadoId), 'cadastro:' || id(ideCadastro), 'office:' || upper(trim(txNomeParlamentar)))
            AS deputy_id,
        id(ideCadastro) AS deputy_register_id,
        trim(txNomeParlamentar) AS deputy_name,
        is_leadership,
        CASE WHEN NOT is_leadership AND trim(sgPartido) <> 'NA' THEN txt(sgPartido) END AS party_label,
        state AS state_code,
        TRY_CAST(trim(codLegislatura) AS INT) AS term_of_office,
        txtDescricao AS expense_category_label,
        coalesce(txt(numSubCota), labels.expense_category_id) AS expense_category_id,
        txt(txtDescricaoEspecificacao) AS expense_specification,
        if(is_personal, '***.' || digits[4:6] || '.' || digits[7:9] || '-**', digits) AS supplier_id,
        kind AS supplier_id_kind,
        CASE
            WHEN kind = 'none' THEN upper(trim(regexp_replace(supplier_name, ' +', ' ', 'g')))
            WHEN is_personal THEN sha256($outer || unhex(sha256($inner || encode(digits))))
            ELSE digits
        END AS supplier_token,
        supplier_name,
        id(ideDocumento) AS document_id,
        CASE
            WHEN redacted(txt(txtNumero)) <> txt(txtNumero) THEN redacted(txt(txtNumero)) || '~'
                || sha256($outer || unhex(sha256($inner || encode(txt(txtNumero)))))[:8]
            ELSE txt(txtNumero)
        END AS document_number,
        txt(indTipoDocumento) AS document_type_id,
        amount(vlrDocumento) AS document_amount,
        amount(vlrGlosa) AS deduction_amount,
        amount(vlrLiquido) AS net_amount,
        amount(vlrRestituicao) AS returned_amount,
        day_of(trim(datPagamentoRestituicao)) AS returned_date,
        amount(vlrLiquido) <> amount(vlrDocumento) - amount(vlrGlosa) AS is_net_inconsistent,
        TRY_CAST(trim(numAno) AS INT) AS competence_year,
        CASE WHEN TRY_CAST(trim(numMes) AS INT) BETWEEN 1 AND 12 THEN trim(numMes)::INT END AS competence_month,
        TRY_CAST(trim(numParcela) AS INT) AS instalment,
        redacted(txt(txtTrecho)) AS trip,
        txt(numLote) AS batch_id,
        txt(numRessarcimento) AS reimbursement_id,
        txt(urlDocumento) AS receipt_url,
        $file_name AS source_file
    FROM kinds LEFT JOIN labels ON label = txtDescricao
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
        key('document_type', document_type_id) AS document_type_key,
        'chamber_expenses' AS source_code,
        competence_year, competence_month, document_id, document_number, instalment, trip, receipt_url,
        document_amount, deduction_amount, net_amount, returned_amount, source_file
    FROM staged
"""


def main() -> None:
    given = shared.arguments(__doc__)
    given.output.mkdir(parents=True)
    year = int(given.input.name.removeprefix("Ano-")[:4])
    with zipfile.ZipFile(given.input) as archive, archive.open(archive.namelist()[0]) as member:
        csv = given.output / "published.csv"
        with csv.open("wb") as file:
            shutil.copyfileobj(member, file, 1 << 20)
    with duckdb.connect() as connection:
        write(connection, csv, year, given.input.name, given.output)
    csv.unlink()


def write(connection: duckdb.DuckDBPyConnection, csv: Path, year: int, file_name: str, output: Path) -> None:
    connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
    connection.execute("SET preserve_insertion_order = false")
    connection.execute(MACROS)
    labels = connection.read_csv(str(shared.REFERENCE / "expense_category_labels.csv"), header=True, all_varchar=True)
    labels.filter("source_code = 'chamber_expenses'").create_view("labels")
    inner, outer = shared.hmac_pads()
    connection.execute(
        f"COPY ({_staging_query()}) TO '{output / 'stg_chamber_expenses.parquet'}' (FORMAT parquet, COMPRESSION zstd)",
        {
            "file": str(csv),
            "file_name": file_name,
            "year": year,
            "inner": inner,
            "outer": outer,
            "office_name": shared.OFFICE_NAME,
            "office_labels": shared.office_labels(),
        },
    )
    connection.read_parquet(str(output / "stg_chamber_expenses.parquet")).create_view("staged")
    connection.execute(f"COPY ({FACT}) TO '{output / 'fct_expenses.parquet'}' (FORMAT parquet, COMPRESSION zstd)")


def _staging_query() -> str:
    columns = chamber_expenses.CSV.columns
    return STAGING.format(
        told=", ".join(name for name in columns if name not in HIDDEN),
        hidden=", ".join(HIDDEN),
        names=", ".join(f"'{name}'" for name in columns),
        types=", ".join(f"{name}: 'VARCHAR'" for name in columns),
        is_cnpj=check_digits("n", shared.CNPJ_WEIGHTS),
        is_cpf=check_digits("n", shared.CPF_WEIGHTS),
        is_lettered=_check_digits_with_letters(),
    )


def _check_digits_with_letters() -> str:
    """As for digits, where a character counts as its ASCII code less 48."""

    def digit(last: int, weights: tuple[int, ...]) -> str:
        return f"(({' + '.join(f'place(bare, {last - i}) * {w}' for i, w in enumerate(weights))}) * 10 % 11 % 10)"

    first, second = digit(12, shared.CNPJ_WEIGHTS[:-1]), digit(13, shared.CNPJ_WEIGHTS)
    return f"({first} = place(bare, 13) AND {second} = place(bare, 14))"


if __name__ == "__main__":
    main()
