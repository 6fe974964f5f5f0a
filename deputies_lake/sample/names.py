"""Invented names of persons and companies, and the ways one name gets spelled on receipts.

Here belong the words and how they are put together; who bears a name stands in `deputies` and `suppliers`.
Every name is capitals, as the House publishes it. Persons have two surnames of which the second is rare in
politics, so that no combination is the parliamentary name of a real deputy.
"""

import unicodedata
from collections.abc import Sequence
from typing import Final

from numpy.random import PCG64

from deputies_lake.sample.draws import integers

GIVEN: Final = (
    "ADRIANA", "ALBERTO", "ALICE", "ÁLVARO", "ANA", "ANDRÉ", "ANTÔNIO", "BÁRBARA", "BEATRIZ", "BENTO",
    "BRUNO", "CAMILA", "CÂNDIDA", "CELSO", "CHICO", "CLÁUDIA", "DALVA", "DÉBORA", "DIEGO", "EDSON", "ELISA",
    "ÉRICO", "EVA", "FÁBIO", "FLÁVIA", "GERALDO", "GLÓRIA", "HÉLIO", "HELENA", "IGOR", "INÊS", "ÍRIS", "IVAN",
    "JOANA", "JOÃO", "JOSÉ", "JÚLIA", "LAURA", "LEANDRO", "LÚCIA", "LUÍS", "MÁRCIO", "MARIA", "MÔNICA",
    "NELSON", "OLGA", "OTÁVIO", "PAULO", "PEDRO", "RAUL", "REGINA", "RITA", "RUI", "SÉRGIO", "SÍLVIA",
    "TÂNIA", "TIAGO", "VERA", "VÍTOR", "ZÉ",
)  # fmt: skip
SURNAMES: Final = (
    "ALMEIDA", "ALVES", "BARBOSA", "BARROS", "BATISTA", "BORGES", "CAMPOS", "CARDOSO", "CARVALHO", "CASTRO",
    "CORREIA", "COSTA", "DIAS", "DUARTE", "FERNANDES", "FERREIRA", "FREITAS", "GOMES", "GONÇALVES", "LIMA",
    "LOPES", "MACHADO", "MARTINS", "MELO", "MENDES", "MONTEIRO", "MOREIRA", "NUNES", "OLIVEIRA", "PEREIRA",
    "PINTO", "RAMOS", "RIBEIRO", "ROCHA", "SANTOS", "SILVA", "SOARES", "SOUZA", "TEIXEIRA", "VIEIRA",
)  # fmt: skip
SECOND_SURNAMES: Final = (
    "ALECRIM", "AMEIXEIRA", "AROEIRA", "BEM-TE-VI", "BENJOIM", "CAMBARÁ", "CANDEEIRO", "CAPIM", "D'ALBA",
    "D'ORVALHO", "DA ALVORADA", "DA GAROA", "DA NEBLINA", "DA RESTINGA", "DAS ACÁCIAS", "DAS PALMAS",
    "DO CERRADO", "DO POENTE", "DO SERENO", "DOS IPÊS", "GIRASSOL", "GUARANÁ", "JATOBÁ", "JEQUITIBÁ",
    "LARANJAL", "MANACÁ", "MANGABEIRA FILHO", "PINHAL JR.", "PITANGUEIRA", "QUARESMEIRA", "SABIÁ",
    "SAPUCAIA NETO", "SERINGAL", "SUCUPIRA", "UMBUZEIRO",
)  # fmt: skip

PLACES: Final = (
    "ALVORADA", "AMÉRICA", "AVENIDA", "BANDEIRANTES", "BEIRA RIO", "BELA VISTA", "BOA ESPERANÇA", "CENTRAL",
    "CIDADE NOVA", "COLINA", "CRUZEIRO", "ESTRELA", "FAROL", "HORIZONTE", "IMPERIAL", "INDEPENDÊNCIA",
    "JARDIM", "LAGOA", "LITORAL", "MIRANTE", "NOVO MUNDO", "PALMEIRAS", "PARQUE", "PLANALTO",
    "PONTE NOVA", "PRIMAVERA", "RECANTO", "SANTA CLARA", "SANTO ANTÔNIO", "SÃO BENTO", "SÃO JOÃO", "SERRANA",
    "SOL NASCENTE", "TRÊS IRMÃOS", "TRÊS MARIAS", "UNIÃO", "VALE VERDE", "VERA CRUZ", "VITÓRIA RÉGIA",
)  # fmt: skip
ADDITIONS: Final = (
    " II", " III", " 24H", " DA SERRA AZUL", " DAS GARÇAS", " DO IPÊ", " DOS PÁSSAROS", " E FILHAS", " PRIME",
)  # fmt: skip
LEGAL_FORMS: Final = ("LTDA", "LTDA", "LTDA", "LTDA - ME", "LTDA - EPP", "EIRELI", "S/A", "S.A.")

SHARE_BY_SPELLING: Final = (0.82, 0.09, 0.052, 0.023, 0.009, 0.005, 0.001)
"""How often each of a name's `spellings` is used, in their order."""


def invented_persons(bits: PCG64, count: int) -> list[str]:
    """Distinct names of persons."""
    combinations = len(GIVEN) * len(SURNAMES) * len(SECOND_SURNAMES)
    # Some combinations come twice; so many more are drawn that enough are left.
    distinct = dict.fromkeys(integers(bits, 2 * count + 10, combinations).tolist())
    return [_person(combination) for combination in list(distinct)[:count]]


def _person(combination: int) -> str:
    rest, given = divmod(combination, len(GIVEN))
    second, first = divmod(rest, len(SURNAMES))
    return f"{GIVEN[given]} {SURNAMES[first]} {SECOND_SURNAMES[second]}"


def invented_companies(bits: PCG64, count: int, trades: Sequence[str]) -> list[tuple[str, str, str]]:
    """Trade, proper name and legal form of companies; like real ones, several may have the same name."""
    drawn = zip(
        *(integers(bits, count, len(words)).tolist() for words in (trades, PLACES, ADDITIONS, LEGAL_FORMS)),
        strict=True,
    )
    return [
        (trades[trade], PLACES[place] + ADDITIONS[addition], LEGAL_FORMS[form])
        for trade, place, addition, form in drawn
    ]


def spellings(trade: str, proper: str, legal_form: str) -> tuple[str, ...]:
    """What offices make of one supplier's name: case, accents, blanks, commas and quotes vary."""
    full = f"{trade} {proper} {legal_form}".rstrip()
    return (
        full,
        full.title(),
        f"{trade} {proper}",
        without_accents(full),
        f"{trade}  {proper} {legal_form}".rstrip(),
        f"{trade} {proper}, {legal_form}" if legal_form else full,
        f'{trade} "{proper}" {legal_form}'.rstrip(),
    )


def without_accents(text: str) -> str:
    return unicodedata.normalize("NFD", text).encode("ascii", "ignore").decode("ascii")
