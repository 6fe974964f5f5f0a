"""What the lines of the House's yearly files look like, in each of their layouts.

Here belongs the form only: columns, quotes, how numbers, dates and ids are written. What the rows are is drawn in
`chamber_receipts`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from deputies_lake.sample.chamber_members import Member, term_number
from deputies_lake.sample.chamber_receipts import CENTS, MONTHS, NFE, Expenses, Market, days_of
from deputies_lake.sample.chamber_shape import CATEGORIES, FIRST_YEAR, NO_DOCUMENT_IS_ZERO_SINCE
from deputies_lake.sample.draws import Integers, threshold
from deputies_lake.sample.lines import (
    NO_TIME,
    Texts,
    clock,
    column,
    joined,
    numerals,
    quoted_texts,
    texts,
    where,
    with_doubled_quotes,
)
from deputies_lake.sample.suppliers import STATES

BYTE_ORDER_MARK: Final = "\ufeff"
NO_STATE: Final = "NA"
SPECIFICATIONS: Final = ("", "Veículos Automotores", "Embarcações", "Aeronaves", "Sem especificações")
NUMBER_PREFIXES: Final = ("", "Bilhete: ", "REC : ")

FIRST_BATCH: Final = 3_000_000
FIRST_DOCUMENT: Final = 10_000_000
FIRST_TICKET: Final = 100_000_000
"""Ids above every one that the House has given out."""
DOCUMENTS_A_YEAR: Final = 2_000_000
RECEIPTS_IN_A_BATCH: Final = 4

SHORT_CENTS: Final = tuple(f"{cent / CENTS:.2f}"[1:].rstrip("0").rstrip(".") for cent in range(CENTS))
FLOAT_CENTS: Final = tuple(str(cent / CENTS)[1:] for cent in range(CENTS))
"""What follows the reais: no more digits than needed, or at least one."""

PASSENGER_IS_MEMBER: Final = 0.75
DAYS_UNTIL_RETURN: Final = 30

DOCUMENTS_URL: Final = "https://www.camara.leg.br/cota-parlamentar/documentos/publ"
NFE_URL: Final = "https://www.camara.leg.br/cota-parlamentar/nota-fiscal-eletronica?ideDocumentoFiscal="

AIRPORTS: Final = {
    "AC": "RBR", "AL": "MCZ", "AM": "MAO", "AP": "MCP", "BA": "SSA", "CE": "FOR", "DF": "CGH", "ES": "VIX", "GO": "GYN",
    "MA": "SLZ", "MG": "CNF", "MS": "CGR", "MT": "CGB", "PA": "BEL", "PB": "JPA", "PE": "REC", "PI": "THE", "PR": "CWB",
    "RJ": "SDU", "RN": "NAT", "RO": "PVH", "RR": "BVB", "RS": "POA", "SC": "FLN", "SE": "AJU", "SP": "GRU", "TO": "PMW",
}  # fmt: skip
"""Where the flights from and to the capital begin and end."""
TRIPS: Final = ("BSB/{0}", "{0}/BSB", "BSB/ {0}", "BSB/{0}/BSB")

COLUMNS: Final = (
    "txNomeParlamentar", "cpf", "ideCadastro", "nuCarteiraParlamentar", "nuLegislatura", "sgUF", "sgPartido",
    "codLegislatura", "numSubCota", "txtDescricao", "numEspecificacaoSubCota", "txtDescricaoEspecificacao",
    "txtFornecedor", "txtCNPJCPF", "txtNumero", "indTipoDocumento", "datEmissao", "vlrDocumento", "vlrGlosa",
    "vlrLiquido", "numMes", "numAno", "numParcela", "txtPassageiro", "txtTrecho", "numLote", "numRessarcimento",
    "datPagamentoRestituicao", "vlrRestituicao", "nuDeputadoId", "ideDocumento", "urlDocumento",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Which columns a file has, in which order, whether all fields are quoted, and how deputies' names are written."""

    columns: tuple[str, ...] = COLUMNS
    quotes_every_field: bool = True
    capitals: bool = False

    @property
    def header(self) -> bytes:
        """The first line, with the mark that begins the file."""
        quote = '"' if self.quotes_every_field else ""
        return f"{BYTE_ORDER_MARK}{';'.join(f'{quote}{name}{quote}' for name in self.columns)}\n".encode()

    def escaped(self, table: Texts) -> Texts:
        """Texts as they stand in a line, between the quotes where there are any."""
        return with_doubled_quotes(table) if self.quotes_every_field else quoted_texts(table, ";")

    def lines(self, fields: Mapping[str, Texts]) -> Texts:
        ordered = [fields[name] for name in self.columns]
        if self.quotes_every_field:
            return joined('"', joined(*ordered, separator='";"'), '"\n')
        return joined(joined(*ordered, separator=";"), "\n")


def _without(columns: Sequence[str], *missing: str) -> tuple[str, ...]:
    return tuple(name for name in columns if name not in missing)


CURRENT: Final = Layout()
UNQUOTED: Final = Layout(quotes_every_field=False)
"""The current columns as other programs write them: quotes only where a field needs them."""
OF_2022: Final = Layout(columns=_without(COLUMNS, "datPagamentoRestituicao"))
OF_2019: Final = Layout(columns=_without(OF_2022.columns, "cpf", "urlDocumento"), capitals=True)


def line_maker(market: Market, layout: Layout) -> Callable[[Expenses, Mapping[str, str]], Texts]:
    """A function from rows of the market's year to their lines.

    Its second argument are texts, by column, that stand in all the lines in place of the fields, just as they are.
    """
    fields = _field_maker(market, layout)

    def lines(expenses: Expenses, instead: Mapping[str, str]) -> Texts:
        return layout.lines({**fields(expenses), **instead})

    return lines


def _field_maker(market: Market, layout: Layout) -> Callable[[Expenses], dict[str, Texts]]:
    roster, published, year = market.roster, market.published, market.roster.year
    members = {
        name: layout.escaped(texts(values)) for name, values in _member_fields(market, capitals=layout.capitals).items()
    }
    categories = {
        "numSubCota": texts(str(category.id) for category in CATEGORIES),
        "txtDescricao": layout.escaped(texts(category.label_in(year) for category in CATEGORIES)),
    }
    names = layout.escaped(published.names)
    prefixes, specifications = texts(NUMBER_PREFIXES), texts(SPECIFICATIONS)
    passengers = layout.escaped(texts([*(member.deputy.name for member in roster.members), *market.passengers]))
    trips = texts(trip.format(AIRPORTS[state]) for state in STATES for trip in TRIPS)
    days = texts([*(f"{day}T" for day in days_of(year)), ""])
    no_day = len(days) - 1
    times = clock()
    urls = texts([*(f"{DOCUMENTS_URL}/{member.deputy.id}/{year}/" for member in roster.members), NFE_URL])
    no_document = "0" if year >= NO_DOCUMENT_IS_ZERO_SINCE else ""
    money, money_as_float = _money_maker(SHORT_CENTS), _money_maker(FLOAT_CENTS)

    def fields(expenses: Expenses) -> dict[str, Texts]:
        is_ticket = expenses.is_ticket
        is_handed_in = expenses.has_document & ~is_ticket
        is_nfe = expenses.document_type == NFE
        by_post = published.is_post[expenses.supplier]
        document_id = where(expenses.has_document, numerals(_document_ids(year, expenses)), no_document)
        is_member = expenses.passenger < threshold(PASSENGER_IS_MEMBER)
        others = len(roster.members) + expenses.passenger % len(market.passengers)
        name = published.name_of_spelling[expenses.spelling]
        return {
            **{name: column(table, expenses.member) for name, table in members.items()},
            **{name: column(table, expenses.category) for name, table in categories.items()},
            "numEspecificacaoSubCota": numerals(expenses.specification),
            "txtDescricaoEspecificacao": column(specifications, expenses.specification),
            "txtFornecedor": column(
                names, np.where(expenses.is_sigepa, published.sigepa_name_of_supplier[expenses.supplier], name)
            ),
            "txtCNPJCPF": column(published.ids, np.where(expenses.is_sigepa, published.no_id, expenses.supplier)),
            "txtNumero": joined(
                column(prefixes, np.where(is_ticket & ~expenses.is_sigepa, 1, np.where(by_post, 2, 0))),
                numerals(expenses.document_number),
            ),
            "indTipoDocumento": numerals(expenses.document_type),
            "datEmissao": joined(
                column(days, np.where(expenses.is_undated, no_day, expenses.day)),
                column(times, np.where(expenses.is_undated, NO_TIME, expenses.second)),
            ),
            "vlrDocumento": money(expenses.document),
            "vlrGlosa": money(expenses.deduction),
            "vlrLiquido": money(expenses.net),
            "numMes": numerals(np.where(expenses.is_of_year_before, MONTHS, expenses.month + 1)),
            "numAno": numerals(year - expenses.is_of_year_before.astype(np.int64)),
            "numParcela": numerals(expenses.instalment),
            "txtPassageiro": where(is_ticket, column(passengers, np.where(is_member, expenses.member, others)), ""),
            "txtTrecho": where(
                is_ticket,
                column(trips, roster.states[expenses.member] * len(TRIPS) + expenses.trip % len(TRIPS)),
                "",
            ),
            "numLote": where(is_handed_in, numerals(FIRST_BATCH + expenses.document_row // RECEIPTS_IN_A_BATCH), "0"),
            "numRessarcimento": where(is_handed_in, "", "0"),
            "datPagamentoRestituicao": where(
                expenses.is_returned,
                joined(column(days, np.minimum(expenses.day + DAYS_UNTIL_RETURN, no_day - 1)), "00:00:00"),
                "",
            ),
            "vlrRestituicao": where(expenses.is_returned, money_as_float(expenses.returned), ""),
            "ideDocumento": document_id,
            "urlDocumento": where(
                is_handed_in,
                joined(
                    column(urls, np.where(is_nfe, len(roster.members), expenses.member)),
                    document_id,
                    column(texts([".pdf", ""]), is_nfe.astype(np.int64)),
                ),
                "",
            ),
        }

    return fields


def _member_fields(market: Market, *, capitals: bool) -> dict[str, list[str]]:
    roster = market.roster

    def name(member: Member) -> str:
        return member.deputy.name if capitals or member.deputy.is_office else member.deputy.name.title()

    return {
        "txNomeParlamentar": [name(member) for member in roster.members],
        "cpf": [member.cpf for member in roster.members],
        "ideCadastro": [member.register_number for member in roster.members],
        "nuCarteiraParlamentar": [member.card for member in roster.members],
        "nuLegislatura": [str(roster.term_begins(member)) for member in roster.members],
        "sgUF": [NO_STATE if member.deputy.is_office else member.deputy.state for member in roster.members],
        "sgPartido": [member.party_in(roster.year) for member in roster.members],
        "codLegislatura": [str(term_number(roster.term_begins(member))) for member in roster.members],
        "nuDeputadoId": [str(member.deputy.id) for member in roster.members],
    }


def _document_ids(year: int, expenses: Expenses) -> Integers:
    first = np.where(expenses.is_sigepa, FIRST_TICKET, FIRST_DOCUMENT)
    return first + (year - FIRST_YEAR) * DOCUMENTS_A_YEAR + expenses.document_row


def _money_maker(after_reais: Sequence[str]) -> Callable[[Integers], Texts]:
    """A function from cents to amounts in reais."""
    signs, after = texts(["", "-"]), texts(after_reais)

    def money(amounts: Integers) -> Texts:
        reais, cents = np.divmod(np.abs(amounts), CENTS)
        return joined(column(signs, (amounts < 0).astype(np.int64)), numerals(reais), column(after, cents))

    return money
