"""staging.stg_chamber_expenses: the House's yearly files, typed and cleaned, one row per published row.

The contract, which rows can be read (`judge`) and how they are typed (`transform`). Odd but real rows stay: negative
and zero values, missing dates, leadership offices, rows identical to the letter. Personal data ends in raw but for the
supplier's id, which is masked. Nothing is joined and nothing summed here.
"""

from typing import Final

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from deputies_lake.contracts import MONEY, YEAR, Column, Table, Totals
from deputies_lake.quota_years import FIRST_YEAR, current_year
from deputies_lake.raw.chamber_expenses import CSV, NO_ID, SUM_NAME
from deputies_lake.reference.tables import category_ids
from deputies_lake.staging import tax_ids
from deputies_lake.staging.columns import category_columns, payer_columns, place_columns, supplier_columns
from deputies_lake.staging.row_keys import row_key
from deputies_lake.staging.texts import (
    amount_fault,
    date_of,
    is_leadership,
    looked_up,
    readable_amount,
    whole,
    whole_number_fault,
)

_RAW: Final = "chamber_expenses"

PERSONAL: Final = ("cpf", "nuCarteiraParlamentar", "txtPassageiro")
"""Columns that end in raw: the deputy's CPF and card, and the passengers, who may be anybody."""

# Columns in which a person's CPF is masked or redacted.
_REDACTED: Final = ("txtCNPJCPF", "txtFornecedor", "txtNumero", "txtTrecho")


def _published(name: str, published: str, type_: str = "string", *, pt: str, en: str, example: str | None) -> Column:
    """A column of one published column, null where the House leaves it empty."""
    return Column(
        name=name,
        type=type_,
        pt=pt,
        en=en,
        source=(f"{_RAW}.{published}",),
        published=published,
        nullable=True,
        example=example,
    )


TABLE: Final = Table(
    layer="staging",
    name="stg_chamber_expenses",
    pt="Despesas publicadas pela Câmara com tipos, fornecedores validados e chave de linha.",
    en="The House's expenses with types, checked suppliers and a row key.",
    grain="one row per readable row of a year's file",
    partitioned=True,
    columns=(
        Column(
            name=YEAR,
            type="int",
            pt="ano do arquivo: o ano da cota, salvo nas linhas que a Câmara pôs em outro arquivo",
            en="the file's year: the quota year, but for rows that the House filed elsewhere",
            source=(f"{_RAW}.year",),
            example="2022",
        ),
        Column(
            name="expense_key",
            type="bigint",
            pt="chave da linha: hash das colunas publicadas e do número entre linhas idênticas",
            en="row key: hash of the published columns and of the number among identical rows",
            source=tuple(f"{_RAW}.{name}" for name in CSV.columns),
        ),
        _published(
            "receipt_date",
            "datEmissao",
            "date",
            pt="data de emissão do documento; nula se não publicada ou impossível",
            en="the document's date of issue; null where none was published, or an impossible one",
            example="2022-02-14",
        ),
        Column(
            name="is_date_impossible",
            type="boolean",
            pt="a data publicada não pode ser a de um recibo",
            en="the published date can't be a receipt's",
            source=(f"{_RAW}.datEmissao",),
        ),
        Column(
            name="deputy_id",
            pt="nuDeputadoId; sem ele cadastro:<ideCadastro>, sem ambos office:<nome>",
            en="nuDeputadoId; without it cadastro:<ideCadastro>, without either office:<name>",
            source=(f"{_RAW}.nuDeputadoId", f"{_RAW}.ideCadastro", f"{_RAW}.txNomeParlamentar"),
            published="nuDeputadoId",
            example="1772",
        ),
        _published(
            "deputy_register_id",
            "ideCadastro",
            pt="número no cadastro e na API da Câmara; nulo nas lideranças",
            en="the number in the House's register and API; null for leadership offices",
            example="178957",
        ),
        *payer_columns(_RAW, "txNomeParlamentar", "ideCadastro", "txNomeParlamentar", "sgUF"),
        _published(
            "party_label",
            "sgPartido",
            pt="partido do deputado quando o arquivo foi publicado, não na data do recibo; nulo nas lideranças",
            en="the deputy's party when the file was published, not on the receipt's date; null for leadership offices",
            example="PSB",
        ),
        _published(
            "state_code",
            "sgUF",
            pt="UF; nula nas lideranças, onde a Câmara escreve NA ou nada",
            en="state; null for leadership offices, where the House writes NA or nothing",
            example="SP",
        ),
        _published(
            "term_of_office",
            "codLegislatura",
            "int",
            pt="número da legislatura",
            en="number of the term of office (legislatura)",
            example="56",
        ),
        *category_columns(
            _RAW, "txtDescricao", "COMBUSTÍVEIS E LUBRIFICANTES.", published_id="numSubCota", example_id="3"
        ),
        _published(
            "expense_specification",
            "txtDescricaoEspecificacao",
            pt="especificação da categoria",
            en="what the category is specified by",
            example="Veículos Automotores",
        ),
        *supplier_columns(
            _RAW,
            "txtCNPJCPF",
            "txtFornecedor",
            repair_pt="sem pontuação",
            repair_en="without its punctuation",
        ),
        _published(
            "document_id",
            "ideDocumento",
            pt="identificador do documento na Câmara; repete-se em parcelas e trechos",
            en="the document's id in the House; repeats over instalments and legs of a trip",
            example="6738121",
        ),
        _published(
            "document_number",
            "txtNumero",
            pt="número do documento fiscal; o que é ou pode ser um CPF é oculto, e ~ distingue os ocultos",
            en="the document's own number; what is or may be a CPF is hidden, and ~ tells the hidden ones apart",
            example="659284",
        ),
        _published(
            "document_type_id",
            "indTipoDocumento",
            pt="código do tipo de documento",
            en="code of the document's type",
            example="4",
        ),
        *(
            Column(
                name=name,
                type=MONEY,
                pt=pt,
                en=en,
                source=(f"{_RAW}.{published}",),
                published=published,
                example=example,
            )
            for name, published, pt, en, example in (
                (
                    "document_amount",
                    "vlrDocumento",
                    "valor do documento em BRL",
                    "the document's value in BRL",
                    "139.76",
                ),
                (
                    "deduction_amount",
                    "vlrGlosa",
                    "valor glosado em BRL: o que a cota não paga",
                    "the disallowed part in BRL: what the quota does not pay",
                    "0.00",
                ),
                (
                    "net_amount",
                    "vlrLiquido",
                    "valor líquido em BRL: o que foi pago; negativo em estornos",
                    "the net value in BRL: what was paid; negative for refunded tickets",
                    "139.76",
                ),
            )
        ),
        _published(
            "returned_amount",
            "vlrRestituicao",
            MONEY,
            pt="valor restituído pelo deputado em BRL; nulo se nenhum",
            en="what the deputy paid back in BRL; null where nothing was",
            example=None,
        ),
        _published(
            "returned_date",
            "datPagamentoRestituicao",
            "date",
            pt="data da restituição",
            en="when it was paid back",
            example=None,
        ),
        Column(
            name="is_net_inconsistent",
            type="boolean",
            pt="o líquido não é o valor do documento menos a glosa; conta-se o líquido, que foi pago",
            en="net is not the document's value less the deduction; net, which was paid, counts",
            source=(f"{_RAW}.vlrLiquido", f"{_RAW}.vlrDocumento", f"{_RAW}.vlrGlosa"),
        ),
        _published("competence_year", "numAno", "int", pt="ano da cota", en="quota year", example="2022"),
        _published("competence_month", "numMes", "int", pt="mês da cota", en="quota month", example="2"),
        _published(
            "instalment", "numParcela", "int", pt="parcela; 0 se única", en="instalment; 0 if single", example="0"
        ),
        _published("trip", "txtTrecho", pt="trecho da viagem", en="the trip's leg", example="BSB/GRU"),
        _published("batch_id", "numLote", pt="lote de comprovantes", en="batch of receipts", example="1554246"),
        _published(
            "reimbursement_id",
            "numRessarcimento",
            pt="número do ressarcimento",
            en="number of the reimbursement",
            example="5369",
        ),
        _published(
            "receipt_url",
            "urlDocumento",
            pt="endereço do documento no site da Câmara",
            en="where the House shows the document",
            example="https://www.camara.leg.br/cota-parlamentar/documentos/publ/1772/2022/6738121.pdf",
        ),
        *place_columns(_RAW, "Ano-2022.csv.zip"),
    ),
    key=("expense_key",),
    totals=Totals(
        by=(YEAR, "expense_category_label"),
        amount="net_amount",
        also=("document_amount", "deduction_amount", "returned_amount"),
    ),
)


def judge(raw: DataFrame) -> DataFrame:
    """`raw` with `rejection_reason`: why a row can't be read, null for the rows that can.

    A reason that is neither of a line's form nor of a number is in `raw.chamber_expenses` too, where a file is judged.
    """
    has_no_id = _has_no_id()
    names_nobody = has_no_id & _text("txNomeParlamentar").isNull()
    # Offices of the House have no id either, in some years; but what they pay has a category.
    has_no_category = _text("numSubCota").isNull() & _text("txtDescricao").isNull()
    is_sum = has_no_id & (has_no_category | F.upper(F.trim("txNomeParlamentar")).rlike(SUM_NAME))
    return raw.withColumn(
        "rejection_reason",
        F.coalesce(
            F.col("unreadable_reason"),
            F.when(is_sum, "a summary line, not a receipt: it has no id, and no category or TOTAL for a name"),
            *(
                amount_fault(name, may_be_empty=name in CSV.amounts_may_be_empty)
                for name in (CSV.amount_column, *CSV.other_amount_columns)
            ),
            whole_number_fault(CSV.whole_number_columns),
            F.when(names_nobody, "nuDeputadoId, ideCadastro and txNomeParlamentar are empty"),
        ),
    )


def transform(readable: DataFrame, *, cpf_key: str) -> DataFrame:
    """The rows of raw.chamber_expenses that `judge` found readable, and their `source_file`, typed."""
    hidden = (*PERSONAL, *_REDACTED)
    told = (F.col(name) for name in CSV.columns if name not in hidden)
    # A bare hash of the row would tell a masked CPF to whoever tries out its five hidden digits. Blanks count: raw
    # numbers equal lines to the letter.
    kept = {"ignoreLeadingWhiteSpace": "false", "ignoreTrailingWhiteSpace": "false"}
    key = row_key([YEAR, *told, tax_ids.keyed_hash(F.to_csv(F.struct(*hidden), kept))])
    number = _text("txtNumero")
    has_no_id = _has_no_id()
    # In columns, for each is read several times below, and would be computed each time.
    prepared = readable.withColumns(
        {"_short_number": tax_ids.short_number(number), "_issued": date_of(F.trim("datEmissao"))}
    )
    shown = prepared.withColumns(
        {
            "supplier_name": tax_ids.redacted(F.col("txtFornecedor")),
            "document_number": tax_ids.redacted(number, F.col("_short_number")),
            "trip": tax_ids.redacted(_text("txtTrecho")),
            "party_label": tax_ids.redacted_short_text(_text("sgPartido")),
            "expense_category_label": tax_ids.redacted_label(F.col("txtDescricao"), category_ids(CSV.source_code)),
            "_office": F.when(has_no_id, tax_ids.redacted(F.upper(F.trim("txNomeParlamentar")))),
        }
    )
    supplied = tax_ids.with_punctuated_supplier(tax_ids.with_key(shown, cpf_key), id_text=F.col("txtCNPJCPF"))
    name, register_id = F.trim("txNomeParlamentar"), _id("ideCadastro")
    state = F.when(F.trim("sgUF").rlike("^[A-Z]{2}$") & (F.trim("sgUF") != "NA"), F.trim("sgUF"))
    is_office = is_leadership(name, state.isNotNull()) | (state.isNull() & register_id.isNull())
    issued = F.col("_issued")
    # The calendar of the star, dim_dates, ends there.
    is_possible = F.year(issued).between(FIRST_YEAR - 1, current_year() + 1)
    document, deduction, net = (readable_amount(F.col(c)) for c in ("vlrDocumento", "vlrGlosa", "vlrLiquido"))
    return supplied.select(
        YEAR,
        key.alias("expense_key"),
        F.when(is_possible, issued).alias("receipt_date"),
        ((F.trim("datEmissao") != "") & ~F.coalesce(is_possible, F.lit(False))).alias("is_date_impossible"),
        F.coalesce(
            _id("nuDeputadoId"),
            F.concat(F.lit("cadastro:"), register_id),
            F.concat(F.lit("office:"), F.col("_office")),
        ).alias("deputy_id"),
        register_id.alias("deputy_register_id"),
        name.alias("deputy_name"),
        is_office.alias("is_leadership"),
        F.when(~is_office & (F.trim("sgPartido") != "NA"), F.col("party_label")).alias("party_label"),
        state.alias("state_code"),
        _number("codLegislatura").alias("term_of_office"),
        "expense_category_label",
        F.coalesce(
            tax_ids.code(_code("numSubCota")), looked_up(F.col("txtDescricao"), category_ids(CSV.source_code))
        ).alias("expense_category_id"),
        _text("txtDescricaoEspecificacao").alias("expense_specification"),
        "supplier_id",
        "supplier_id_kind",
        "supplier_token",
        "supplier_name",
        _id("ideDocumento").alias("document_id"),
        tax_ids.told_apart(F.col("document_number"), number).alias("document_number"),
        tax_ids.code(_code("indTipoDocumento")).alias("document_type_id"),
        document.alias("document_amount"),
        deduction.alias("deduction_amount"),
        net.alias("net_amount"),
        readable_amount(F.col("vlrRestituicao")).alias("returned_amount"),
        date_of(F.trim("datPagamentoRestituicao")).alias("returned_date"),
        (net != document - deduction).alias("is_net_inconsistent"),
        _number("numAno").alias("competence_year"),
        F.when(_number("numMes").between(1, 12), _number("numMes")).alias("competence_month"),
        _number("numParcela").alias("instalment"),
        "trip",
        _code("numLote").alias("batch_id"),
        _code("numRessarcimento").alias("reimbursement_id"),
        _text("urlDocumento").alias("receipt_url"),
        "source_file",
        "source_line",
    )


def _text(column: str) -> SparkColumn:
    """A text without surrounding blanks, null where the House leaves it empty."""
    return F.nullif(F.trim(column), F.lit(""))


def _code(column: str) -> SparkColumn:
    """A code as text, null where the House leaves it empty."""
    return F.nullif(whole(F.col(column)), F.lit(""))


def _has_no_id() -> SparkColumn:
    """Whether the House gives the payer no id: an office, in some years, or nobody."""
    return _id("nuDeputadoId").isNull() & _id("ideCadastro").isNull()


def _id(column: str) -> SparkColumn:
    """An id as text, null where the House writes 0 or NA for none, or what is too long to be one."""
    code = _code(column)
    return F.when(~code.isin(*NO_ID), tax_ids.code(code))


def _number(column: str) -> SparkColumn:
    return whole(F.col(column)).cast("int")
