"""What several marts declare, said once: who, where, what, the measures and what they must add up to.

Marts repeat names in plain text, so that a reader needs no join; the keys beside them lead into the star.
"""

from dataclasses import replace
from typing import Final

from deputies_lake.contracts import SHARE, TOTAL, YEAR, Column, Totals
from deputies_lake.star import (
    dim_deputies,
    dim_expense_categories,
    dim_parties,
    dim_states,
    dim_suppliers,
    fct_expenses,
    ref_known_gaps,
)

FACT: Final = fct_expenses.TABLE.name


def of_fact(*columns: str) -> tuple[str, ...]:
    """The lineage of what is made from these columns of the fact."""
    return tuple(f"{FACT}.{column}" for column in columns)


def _amount(name: str, pt: str, en: str, *sources: str, nullable: bool = True) -> Column:
    return Column(name=name, type=TOTAL, pt=pt, en=en, source=of_fact(*sources), nullable=nullable)


def count(name: str, pt: str, en: str, *sources: str) -> Column:
    """A number of rows or members."""
    return Column(name=name, type="bigint", pt=pt, en=en, source=of_fact(*sources))


def share(name: str, pt: str, en: str, *sources: str, nullable: bool = False) -> Column:
    """A part of one: 0.25 is a quarter."""
    return Column(name=name, type=SHARE, pt=pt, en=en, source=sources, nullable=nullable, example="0.250000")


OF_YEAR: Final = Column(
    name=YEAR,
    type="int",
    pt="ano da cota, não o da data do recibo",
    en="quota year, not the year of the receipt's date",
    source=of_fact(YEAR),
    published="numAno",
    example="2022",
)
MONTH: Final = Column(
    name="month",
    type="int",
    pt="mês da cota; nos anos do Kaggle, que não o tem, o da data do recibo; 0 se desconhecido",
    en="quota month; in Kaggle's years, which have none, that of the receipt's date; 0 where unknown",
    source=of_fact("competence_month", "date_key"),
    published="numMes",
    example="3",
)
SOURCE_CODE: Final = Column(
    name="source_code",
    pt="fonte do ano: a Câmara, ou o Kaggle, sem centavos, sinal e glosas",
    en="the year's source: the House, or Kaggle, without cents, signs and disallowed parts",
    source=of_fact("source_code"),
    example="chamber_expenses",
)
PAYER_KIND: Final = Column(
    name="payer_kind",
    pt="deputy, leadership (liderança: cota própria, de nenhum deputado) ou unknown",
    en="deputy, leadership (an office with a quota of its own, no deputy's) or unknown",
    source=(f"{dim_deputies.TABLE.name}.payer_kind",),
    example="deputy",
)
DEPUTY: Final = (
    Column(
        name="deputy_key",
        type="bigint",
        pt="chave do deputado ou da liderança em dim_deputies",
        en="key of the deputy or leadership office in dim_deputies",
        source=of_fact("deputy_key"),
    ),
    Column(
        name="deputy_id",
        pt="número do deputado (nuDeputadoId)",
        en="the deputy's number (nuDeputadoId)",
        source=(f"{dim_deputies.TABLE.name}.deputy_id",),
        published="nuDeputadoId",
        example="1772",
    ),
    Column(
        name="deputy_name",
        pt="nome parlamentar mais recente",
        en="latest parliamentary name",
        source=(f"{dim_deputies.TABLE.name}.deputy_name",),
        published="txNomeParlamentar",
        example="Fulana De Tal",
    ),
)
REGISTER: Final = Column(
    name="deputy_register_id",
    pt="número no cadastro da Câmara (ideCadastro), o da API; nulo onde não publicado",
    en="number in the House's register (ideCadastro), the API's; null where not published",
    source=(f"{dim_deputies.TABLE.name}.deputy_register_id",),
    published="ideCadastro",
    nullable=True,
    example="178000",
)
STATE_CODE: Final = Column(
    name="state_code",
    pt="UF como informada no recibo; NONE nas lideranças, UNKNOWN se desconhecida",
    en="state as reported on the receipt; NONE for leadership offices, UNKNOWN where unknown",
    source=(f"{dim_states.TABLE.name}.state_code",),
    published="sgUF",
    example="SP",
)
PARTY_LABEL: Final = Column(
    name="party_label",
    pt="partido que o arquivo traz: o do deputado quando o arquivo foi publicado, não o da data do recibo",
    en="party in the file: the deputy's when the file was published, not that of the receipt's date",
    source=(f"{dim_parties.TABLE.name}.party_label",),
    published="sgPartido",
    example="PSB",
)
CATEGORY: Final = (
    Column(
        name="expense_category_key",
        type="bigint",
        pt="chave da categoria em dim_expense_categories",
        en="the category's key in dim_expense_categories",
        source=of_fact("expense_category_key"),
    ),
    Column(
        name="expense_category_id",
        pt="código da categoria na Câmara; nulo se não há um",
        en="the House's code of the category; null where there is none",
        source=(f"{dim_expense_categories.TABLE.name}.expense_category_id",),
        published="numSubCota",
        nullable=True,
        example="3",
    ),
    Column(
        name="category_pt",
        pt="categoria em português",
        en="category in Portuguese",
        source=(f"{dim_expense_categories.TABLE.name}.name_pt",),
        published="txtDescricao",
        example="Combustíveis e lubrificantes",
    ),
    Column(
        name="category_en",
        pt="categoria em inglês",
        en="category in English",
        source=(f"{dim_expense_categories.TABLE.name}.name_en",),
        example="Fuels and lubricants",
    ),
)
SUPPLIER: Final = (
    Column(
        name="supplier_key",
        type="bigint",
        pt="chave do fornecedor em dim_suppliers",
        en="the supplier's key in dim_suppliers",
        source=of_fact("supplier_key"),
    ),
    Column(
        name="supplier_id",
        pt="CNPJ; CPF mascarado; nulo se não publicado",
        en="CNPJ; a CPF is masked; null where none was published",
        source=(f"{dim_suppliers.TABLE.name}.supplier_id",),
        published="txtCNPJCPF",
        nullable=True,
        example="03530749000139",
    ),
    Column(
        name="supplier_id_kind",
        pt="cnpj, cpf, cpf_or_cnpj, functional (não é empresa), invalid, none ou unknown",
        en="cnpj, cpf, cpf_or_cnpj, functional (not a company), invalid, none or unknown",
        source=(f"{dim_suppliers.TABLE.name}.supplier_id_kind",),
        example="cnpj",
    ),
    Column(
        name="supplier_name",
        pt="nome do fornecedor: a grafia com a maior despesa",
        en="the supplier's name: the spelling with the most spending",
        source=(f"{dim_suppliers.TABLE.name}.supplier_name",),
        published="txtFornecedor",
        example="AUTO POSTO LTDA",
    ),
)
MEASURES: Final = (
    count("receipts", "número de recibos", "number of receipts", "expense_key"),
    _amount(
        "spent_amount",
        "despesa em BRL: o valor líquido; dos anos do Kaggle, que não o tem, o do documento",
        "spending in BRL: the net value; in Kaggle's years, which have none, the document's",
        "net_amount",
        "document_amount",
        nullable=False,
    ),
    _amount(
        "document_amount",
        "valor dos documentos em BRL, glosas incluídas, devoluções descontadas",
        "value of the documents in BRL, disallowed parts included, refunds taken off",
        "document_amount",
        nullable=False,
    ),
    _amount(
        "gross_amount",
        "valor dos documentos em BRL, sem os das devoluções: o primeiro termo da conta do líquido",
        "value of the documents in BRL, without the refunds': the first term of the net value's account",
        "document_amount",
        "net_amount",
        nullable=False,
    ),
    _amount(
        "deduction_amount",
        "glosas em BRL; nulo nos anos do Kaggle",
        "disallowed parts in BRL; null in Kaggle's years",
        "deduction_amount",
    ),
    _amount(
        "net_amount",
        "valor líquido em BRL: o que foi pago, devoluções descontadas; nulo nos anos do Kaggle",
        "net value in BRL: what was paid, refunds taken off; null in Kaggle's years",
        "net_amount",
    ),
    _amount(
        "refund_amount",
        "só as devoluções, em BRL, zero ou negativo: já descontadas no líquido; nulo nos anos do Kaggle",
        "the refunds alone, in BRL, zero or negative: already in the net value; null in Kaggle's years",
        "net_amount",
    ),
    _amount(
        "difference_amount",
        "o que falta à conta em BRL: net_amount = gross_amount - deduction_amount + refund_amount + difference_amount; "
        "a Câmara pagou menos (raro: mais) que o documento menos a glosa, sem dizer por quê: cota esgotada, parcelas, "
        "restituições; nulo nos anos do Kaggle",
        "what the account lacks in BRL: net_amount = gross_amount - deduction_amount + refund_amount + "
        "difference_amount; the House paid less (seldom more) than the document less the deduction, not saying why: "
        "quota used up, instalments, returned money; null in Kaggle's years",
        "net_amount",
        "document_amount",
        "deduction_amount",
    ),
    _amount(
        "returned_amount",
        "o que os deputados restituíram depois, em BRL, não descontado do líquido; nulo se nada",
        "what deputies paid back later, in BRL, not taken off the net value; null where nothing was",
        "returned_amount",
    ),
)
TOTALS: Final = Totals(
    by=(YEAR,),
    amount="spent_amount",
    also=(
        *("document_amount", "gross_amount", "deduction_amount", "net_amount"),
        *("refund_amount", "difference_amount", "returned_amount"),
    ),
    rows="receipts",
)
"""Of a mart that holds all receipts: what it must add up to, year by year."""

TOTALS_BY_CATEGORY: Final = replace(TOTALS, by=(YEAR, "expense_category_key"))
"""The same, category by category."""

DEPUTIES: Final = count("deputies", "deputados com recibo", "deputies with a receipt", "deputy_key")
SPENT_PER_DEPUTY: Final = Column(
    name="spent_per_deputy",
    type=TOTAL,
    pt="despesa dos deputados dividida por quantos têm recibo, em BRL; nula sem deputados",
    en="the deputies' spending divided by how many have a receipt, in BRL; null without deputies",
    source=of_fact("net_amount", "document_amount", "deputy_key"),
    nullable=True,
)
QUALIFIERS: Final = (
    Column(
        name="is_incomplete",
        type="boolean",
        pt="recibos ainda podem chegar (até 90 dias depois da despesa)",
        en="receipts may still arrive (up to 90 days after the expense)",
        source=(f"{ref_known_gaps.TABLE.name}.first_month", f"{ref_known_gaps.TABLE.name}.last_month"),
    ),
    Column(
        name="known_gaps",
        pt="lacunas conhecidas que mudam totais ou comparações, por nome (ver ref_known_gaps); nulo se nenhuma",
        en="known gaps that change totals or comparisons, by name (see ref_known_gaps); null where none does",
        source=(f"{ref_known_gaps.TABLE.name}.gap_id",),
        nullable=True,
        example="receipts_still_arriving, sigepa_missing",
    ),
)
