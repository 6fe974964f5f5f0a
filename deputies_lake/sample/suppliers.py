"""The invented suppliers: where they are, how popular, how spelled, and which have no tax id.

Here belongs who sells; what is bought is in `receipts`. Petrol stations are many and near their deputy,
airlines few and the same for all. What the House itself provides (post, extension lines) is listed under a
label instead of a supplier, without an id.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.random import PCG64
from numpy.typing import NDArray

from deputies_lake.sample import names, tax_ids
from deputies_lake.sample.draws import LANE_BITS, Integers, deal, scaled, threshold
from deputies_lake.sample.kaggle_shape import CAPITAL, SEATS_BY_STATE
from deputies_lake.sample.lines import Texts, concatenated, texts

STATES: Final = tuple(SEATS_BY_STATE)
CAPITAL_PLACE: Final = STATES.index(CAPITAL)

SHARE_IN_CAPITAL: Final = 0.25
CAPITAL_SEATS: Final = 48
"""Every deputy buys in the capital too, so it has more suppliers than its own seats would ask for."""

HOME_DISTANCE: Final = 61
"""Each deputy is at home so many suppliers further on in the state than the deputy with the id before."""

NO_ID: Final = 0
SPELLINGS: Final = len(names.SHARE_BY_SPELLING)
SPELLING_HABITS: Final = 1_000


class Kind(NamedTuple):
    """A kind of supplier. `suppliers` is how many a full-size file has.

    Local kinds are near their deputy, who knows `reach` of them; of the others everybody knows all. `persons`
    is the share that are natural persons. `brands` are the proper names where the suppliers are few and known
    by them. `unnumbered_share` of the receipts name one of the `unnumbered` labels, which have no tax id, in
    proportion to their weights.
    """

    trades: tuple[str, ...]
    suppliers: int
    local: bool = True
    reach: int = 80
    persons: float = 0.0
    brands: tuple[str, ...] = ()
    unnumbered_share: float = 0.0
    unnumbered: tuple[tuple[str, int], ...] = ()


POST: Final = "post"
KINDS: Final = {
    "airline": Kind(("Cia Aérea -",), 8, local=False,
                    brands=("ANDORINHA", "TUIUIÚ", "BEIJA-FLOR", "ARARA", "GARÇA", "CURIÓ", "JABURU", "EMA"),
                    unnumbered_share=0.0002, unnumbered=(("AEROLÍNEAS GAVIOTA", 1),)),
    "aircraft": Kind(("TÁXI AÉREO", "AVIAÇÃO", "FRETAMENTO AÉREO"), 120),
    "boats": Kind(("NAVEGAÇÃO", "TRANSPORTE FLUVIAL"), 40, persons=0.3),
    "coach": Kind(("VIAÇÃO", "EXPRESSO", "TRANSPORTES"), 500),
    "consultancy": Kind(("CONSULTORIA", "ASSESSORIA JURÍDICA", "INSTITUTO DE PESQUISAS"), 3_000,
                        persons=0.15),
    "course": Kind(("FACULDADE", "CENTRO DE TREINAMENTO"), 60),
    "food": Kind(("RESTAURANTE", "CHURRASCARIA", "PANIFICADORA", "LANCHONETE", "PIZZARIA", "CAFÉ"), 12_000,
                 unnumbered_share=0.003,
                 unnumbered=(("PARRILLA DE LAS GAVIOTAS", 2), ("Trattoria Del Gabbiano", 1))),
    "fuel": Kind(("AUTO POSTO", "POSTO", "COMERCIAL DE COMBUSTÍVEIS", "REDE DE POSTOS", "ABASTECEDORA"),
                 15_000),
    "lodging": Kind(("HOTEL", "POUSADA", "PALACE HOTEL", "HOTÉIS E TURISMO"), 4_000,
                    unnumbered_share=0.014,
                    unnumbered=(("HOTEL DE LAS GAVIOTAS", 3), ("Seagull Plaza Hotel", 1))),
    "office": Kind(("PAPELARIA", "IMOBILIÁRIA", "INFORMÁTICA", "CONDOMÍNIO", "COMPANHIA DE ENERGIA"), 8_000,
                   persons=0.12),
    POST: Kind(("AGÊNCIA POSTAL", "ENCOMENDAS"), 300, local=False, unnumbered_share=0.955, unnumbered=(
        ("CORREIOS - SEDEX CONVENCIONAL", 36), ("CORREIOS - CARTA COMERCIAL", 18),
        ("CORREIOS - ENCOMENDA PAC", 13), ("CORREIOS - SEDEX 10", 8),
        ("CORREIOS - SEDEX CONVENCIONAL COM AR", 7),
        ("CORREIOS - CARTA REGISTRADA COM AR", 6), ("CORREIOS - TELEGRAMA", 5),
        ("CORREIOS - CAIXA DE ENCOMENDAS BÁSICA/CONVENCIONAL", 4),
        ("CORREIOS - MALA DIRETA POSTAL BÁSICA", 3))),
    "press": Kind(("JORNAL", "REVISTA", "EDITORA"), 250, local=False),
    "publicity": Kind(("GRÁFICA", "EDITORA GRÁFICA", "COMUNICAÇÃO VISUAL", "RÁDIO", "PRODUÇÕES"), 7_000,
                      persons=0.03),
    "road": Kind(("COOPERATIVA DE TÁXI", "ESTACIONAMENTO", "CONCESSIONÁRIA DA RODOVIA"), 2_500, reach=30,
                 persons=0.08, unnumbered_share=0.002, unnumbered=(("PEAJE RUTA DE LAS GAVIOTAS", 1),)),
    "security": Kind(("SEGURANÇA E VIGILÂNCIA", "MONITORAMENTO ELETRÔNICO"), 600),
    "software": Kind(("SISTEMAS", "TECNOLOGIA DA INFORMAÇÃO"), 200),
    "telephone": Kind(("TELEFONIA", "TELECOM", "TELEFONIA MÓVEL"), 150, local=False,
                      unnumbered_share=0.5, unnumbered=(("RAMAL", 3), ("CELULAR FUNCIONAL", 1))),
    "vehicles": Kind(("LOCADORA DE VEÍCULOS", "RENT A CAR", "AUTO LOCADORA"), 2_500, persons=0.1),
}  # fmt: skip
KIND_NAMES: Final = tuple(KINDS)


@dataclass(frozen=True, eq=False)
class Suppliers:
    """All suppliers, `ids` and `spelled` in the same order, each with `SPELLINGS` spellings in a row.

    `first` and `size` say, for each kind and state, where its suppliers stand. `labels` has, for each kind,
    `LABEL_PICKS` positions of its labels, each as often as its weight says.
    """

    ids: Integers
    spelled: Texts
    first: Integers
    size: Integers
    labels: Integers

    def choose(
        self,
        kind: Integers,
        state: Integers,
        deputy_id: Integers,
        unnumbered: NDArray[np.bool_],
        chances: Integers,
    ) -> Integers:
        """A supplier for each row; `chances` are four lanes."""
        place_chance, near, popular, label = chances
        in_capital = place_chance < threshold(SHARE_IN_CAPITAL)
        place = np.where(in_capital, CAPITAL_PLACE, state)
        size = self.size[kind, place]
        # The product of two chances is mostly small: the first suppliers around are by far the most popular.
        rank = np.minimum(size, REACH[kind]) * near * popular >> 2 * LANE_BITS
        home = np.where(in_capital | ~LOCAL[kind], 0, deputy_id * HOME_DISTANCE)
        numbered = self.first[kind, place] + (home + rank) % size
        chosen: Integers = np.where(unnumbered, self.labels[kind, scaled(label, LABEL_PICKS)], numbered)
        return chosen


LOCAL: Final = np.array([kind.local for kind in KINDS.values()])
REACH: Final = np.array([kind.reach if kind.local else kind.suppliers for kind in KINDS.values()])
UNNUMBERED_BELOW: Final = threshold([kind.unnumbered_share for kind in KINDS.values()])
SPELLING_BY_HABIT: Final = np.repeat(
    np.arange(SPELLINGS), [round(share * SPELLING_HABITS) for share in names.SHARE_BY_SPELLING]
)
LABEL_PICKS: Final = 256


def spelling_of(suppliers: Integers, deputy_ids: Integers) -> Integers:
    """Which text stands for the supplier: an office writes the same supplier always the same way."""
    habit = (suppliers * 31 + deputy_ids * 17) % SPELLING_HABITS
    return suppliers * SPELLINGS + np.take(SPELLING_BY_HABIT, habit)


def invented_suppliers(bits: PCG64, scale: float) -> Suppliers:
    """All suppliers; a sample at a smaller `scale` has fewer of the kinds that have many."""
    ids: list[Integers] = []
    spelled: list[Texts] = []
    first = np.zeros((len(KINDS), len(STATES)), dtype=np.int64)
    size = np.ones_like(first)
    labels = np.zeros((len(KINDS), LABEL_PICKS), dtype=np.int64)
    known = 0
    for position, kind in enumerate(KINDS.values()):
        size[position] = _suppliers_by_state(kind, scale)
        first[position] = known + (np.cumsum(size[position]) - size[position] if kind.local else 0)
        count = int(size[position].sum() if kind.local else size[position, 0])
        is_person = deal(bits, count, (1 - kind.persons, kind.persons)).astype(np.bool_)
        companies, persons = tax_ids.invented_companies(bits, count), tax_ids.invented_persons(bits, count)
        ids.append(np.where(is_person, persons, companies))
        spelled.append(texts(_spelled(bits, kind, is_person.tolist())))
        known += count
        if kind.unnumbered:
            unnumbered, weights = zip(*kind.unnumbered, strict=True)
            labels[position] = known + deal(bits, LABEL_PICKS, weights)
            ids.append(np.full(len(unnumbered), NO_ID))
            spelled.append(texts(label for label in unnumbered for _ in range(SPELLINGS)))
            known += len(unnumbered)
    return Suppliers(np.concatenate(ids), concatenated(spelled), first, size, labels)


def _suppliers_by_state(kind: Kind, scale: float) -> Integers:
    if not kind.local:
        return np.full(len(STATES), kind.suppliers)
    seats = np.array([CAPITAL_SEATS if state == CAPITAL else SEATS_BY_STATE[state] for state in STATES])
    share: Integers = np.rint(kind.suppliers * scale * seats / seats.sum()).astype(np.int64)
    return np.maximum(share, 1)


def _spelled(bits: PCG64, kind: Kind, is_person: list[bool]) -> Iterator[str]:
    if kind.brands:
        companies = [(kind.trades[0], brand, "") for brand in kind.brands]
    else:
        companies = names.invented_companies(bits, len(is_person), kind.trades)
    persons = iter(names.invented_persons(bits, sum(is_person)))
    for by_person, company in zip(is_person, companies, strict=True):
        yield from names.spellings(*((*next(persons).split(" ", 1), "ME") if by_person else company))
