"""raw.chamber_expenses: the House's yearly files `Ano-YYYY.csv.zip`, line by line, as they were published.

The contract, the file's form, and which lines are no receipts. No other value is interpreted here; typing and judging
rows is staging's work. A year's rows are those of that year's file: it is replaced as a whole, so a row that the House
filed in another year's file stays there, whatever its `numAno` says. Personal ids are kept as published, which is why
raw is restricted.
"""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from deputies_lake.contracts import YEAR, Column, Table
from deputies_lake.raw.amounts import BLANKS, each_once
from deputies_lake.raw.lines import LINE_COLUMNS, published
from deputies_lake.raw.published_csv import PublishedCsv
from deputies_lake.raw.rejections import says_nothing
from deputies_lake.raw.whole_numbers import whole
from deputies_lake.redaction import CPF_LENGTH

_COLUMNS: Final = (
    published(
        "txNomeParlamentar", "nome parlamentar ou liderança", "parliamentary name, or an office", "Fulana De Tal"
    ),
    published("cpf", "CPF do deputado; só nesta camada", "the deputy's CPF; in this layer only", "00000000000"),
    published(
        "ideCadastro", "número do deputado no cadastro e na API", "the deputy's number in register and API", "178957"
    ),
    published("nuCarteiraParlamentar", "número da carteira parlamentar", "number of the parliamentary card", "565"),
    published("nuLegislatura", "ano em que começa a legislatura", "the year in which the term of office began", "2019"),
    published("sgUF", "UF; vazia ou NA nas lideranças", "state; empty or NA for leadership offices", "SP"),
    published("sgPartido", "partido", "party", "PSB"),
    published("codLegislatura", "número da legislatura", "number of the term of office", "56"),
    published("numSubCota", "código da categoria", "the category's code", "3"),
    published("txtDescricao", "categoria", "the category's label", "COMBUSTÍVEIS E LUBRIFICANTES."),
    published("numEspecificacaoSubCota", "código da especificação", "the specification's code", "1"),
    published("txtDescricaoEspecificacao", "especificação", "the specification's label", "Veículos Automotores"),
    published("txtFornecedor", "nome do fornecedor", "the supplier's name", "AUTO POSTO LTDA"),
    published("txtCNPJCPF", "CNPJ ou CPF do fornecedor", "the supplier's CNPJ or CPF", "035.307.490/0013-9"),
    published("txtNumero", "número do documento fiscal", "the document's own number", "659284"),
    published("indTipoDocumento", "código do tipo de documento", "code of the document's type", "4"),
    published("datEmissao", "data de emissão do documento", "the document's date of issue", "2019-01-16T00:00:00"),
    published("vlrDocumento", "valor do documento", "the document's value", "139.76"),
    published("vlrGlosa", "valor glosado", "the part that was disallowed", "0"),
    published("vlrLiquido", "valor líquido: o que foi pago", "the net value: what was paid", "139.76"),
    published("numMes", "mês da cota", "quota month", "2"),
    published("numAno", "ano da cota", "quota year", "2019"),
    published("numParcela", "parcela", "instalment", "0"),
    published("txtPassageiro", "passageiro; só nesta camada", "passenger; in this layer only", "FULANO DE TAL"),
    published("txtTrecho", "trecho da viagem", "the trip's leg", "BSB/GRU"),
    published("numLote", "lote de comprovantes", "batch of receipts", "1554246"),
    published("numRessarcimento", "número do ressarcimento", "number of the reimbursement", "5369"),
    published("datPagamentoRestituicao", "data da restituição", "when it was paid back", ""),
    published("vlrRestituicao", "valor restituído pelo deputado", "what the deputy paid back", ""),
    published("nuDeputadoId", "número do deputado", "the deputy's number", "1772"),
    published("ideDocumento", "identificador do documento", "the document's id", "6738121"),
    published("urlDocumento", "endereço do documento", "the document's address", "https://www.camara.leg.br/..."),
)

NO_ID: Final = ("0", "NA")
"""What the House writes where a payer has no id."""

SUM_NAME: Final = r"^(SUB-?)?(TOTAL|TOTAIS|SOMA)( |:|\z)"
"""What spreadsheets and reports write below the rows, in capitals. No office of the House is called so."""


def _has_no_id(rows: pa.Table) -> pa.ChunkedArray:
    return pc.and_(_is_no_id(rows["nuDeputadoId"]), _is_no_id(rows["ideCadastro"]))


def _is_no_id(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """What is as long as a CPF is none either."""
    ids = whole(texts)
    return pc.or_(says_nothing(ids, *NO_ID), pc.greater_equal(pc.utf8_length(ids), CPF_LENGTH))


def names_nobody(rows: pa.Table) -> pa.ChunkedArray:
    """Whose receipt it is can't be told."""
    return pc.and_(_has_no_id(rows), says_nothing(rows["txNomeParlamentar"]))


def sums_up(rows: pa.Table) -> pa.ChunkedArray:
    """Offices of the House have no id either, in some years; but what they pay has a category."""
    has_no_category = pc.and_(says_nothing(rows["numSubCota"]), says_nothing(rows["txtDescricao"]))
    is_called_sum = each_once(_is_called_sum, rows["txNomeParlamentar"])
    return pc.and_(_has_no_id(rows), pc.or_(has_no_category, is_called_sum))


def _is_called_sum(names: pa.Array) -> pa.Array:
    return pc.match_substring_regex(pc.utf8_upper(pc.utf8_trim(names, BLANKS)), SUM_NAME)


CSV: Final = PublishedCsv(
    source_code="chamber_expenses",
    file_names=("Ano-{year}.csv.zip", "Ano-{year}.csv"),
    columns=tuple(column.name for column in _COLUMNS),
    optional_columns=("cpf", "datPagamentoRestituicao", "urlDocumento"),
    delimiter=";",
    quotes_every_field=True,
    keeps_new_columns=True,
    category_column="txtDescricao",
    amount_column="vlrLiquido",
    date_column="datEmissao",
    other_amount_columns=("vlrDocumento", "vlrGlosa", "vlrRestituicao"),
    # Of most rows nothing is paid back.
    amounts_may_be_empty=("vlrRestituicao",),
    # Not the parliamentary card: it ends here, and a reason shows the number.
    whole_number_columns=(
        *("ideCadastro", "nuLegislatura", "codLegislatura", "numSubCota", "numEspecificacaoSubCota"),
        *("indTipoDocumento", "numMes", "numAno", "numParcela", "numLote", "numRessarcimento"),
        *("nuDeputadoId", "ideDocumento"),
    ),
    stated_year_column="numAno",
    is_no_receipt=names_nobody,
    is_summary=sums_up,
    obtain="Fetch it with `deputies-lake fetch --years {year}`.",
)

TABLE: Final = Table(
    layer="raw",
    name="chamber_expenses",
    pt="Despesas de cada ano como publicadas pela Câmara, linha a linha, em texto.",
    en="Each year's expenses as published by the House, line by line, as text.",
    grain="one row per line of the year's file",
    partitioned=True,
    columns=(
        *_COLUMNS,
        Column(
            name="other_columns",
            pt="colunas que a Câmara acrescentou, como JSON; nula se não há",
            en="columns that the House has added since, as JSON; null where there are none",
            nullable=True,
        ),
        *LINE_COLUMNS,
    ),
    key=(YEAR, "source_line"),
)
