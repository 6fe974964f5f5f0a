"""The invented suppliers as the House's yearly files show them: the same as Kaggle's, with their ids as they are.

Here belongs the form of names and ids: the House's odd mask, its own numbers for what has no supplier, names with
semicolons, sole traders whose name ends with their CPF. Who the suppliers are is in `suppliers`.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import PCG64
from numpy.typing import NDArray

from deputies_lake.sample import names, tax_ids
from deputies_lake.sample.draws import Integers, deal
from deputies_lake.sample.lines import Texts, concatenated, replaced, texts
from deputies_lake.sample.suppliers import KINDS, NO_ID, SPELLINGS, Suppliers

EXTENSION_LINE: Final = "RAMAL"
POST_PREFIX: Final = "CORREIOS - "
OWN_NUMBERS: Final = {"CELULAR FUNCIONAL": 1, EXTENSION_LINE: 6}
POST_NUMBER: Final = 7
FOREIGN_NUMBER: Final = 10
"""What the House puts in place of a CNPJ for its own phones, the post office and companies abroad."""

SHARE_OF_SOLE_TRADERS: Final = 0.02
"""Share of the companies that bear their owner's name and CPF."""

AIRLINE: Final = "airline"
COMMA, SEMICOLON = ", ", "; "


@dataclass(frozen=True, eq=False)
class PublishedSuppliers:
    """`ids` and the flags have a place for each supplier; `name_of_spelling` says where in `names` a spelling's is.

    `ids` ends with an empty one. What the `house_provides`, its own phones and post, has no documents;
    extension lines are undated, too. `sigepa_name_of_supplier` says where an airline is without its trade.
    """

    names: Texts
    name_of_spelling: Integers
    sigepa_name_of_supplier: Integers
    ids: Texts
    house_provides: NDArray[np.bool_]
    is_post: NDArray[np.bool_]
    is_undated: NDArray[np.bool_]
    is_foreign: NDArray[np.bool_]

    @property
    def no_id(self) -> int:
        return len(self.ids) - 1


def published_suppliers(bits: PCG64, suppliers: Suppliers) -> PublishedSuppliers:
    labels = {
        position: suppliers.spelled[position * SPELLINGS].as_py()
        for position in np.flatnonzero(suppliers.ids == NO_ID).tolist()
    }
    numbers = {position: _own_number(label) for position, label in labels.items()}
    is_company = tax_ids.is_company(suppliers.ids)
    ids = (
        masked_company(numbers.get(position, number)) if by_company else masked_person(number)
        for position, (number, by_company) in enumerate(zip(suppliers.ids.tolist(), is_company.tolist(), strict=True))
    )

    def flags(*wanted: int) -> NDArray[np.bool_]:
        flagged = np.zeros(len(suppliers.ids), dtype=np.bool_)
        flagged[[position for position, number in numbers.items() if number in wanted]] = True
        return flagged

    companies = np.flatnonzero(is_company & (suppliers.ids != NO_ID))
    share = (1 - SHARE_OF_SOLE_TRADERS, SHARE_OF_SOLE_TRADERS)
    sole_traders = companies[deal(bits, len(companies), share) == 1]
    sole_names = _sole_traders(bits, len(sole_traders))
    brands = KINDS[AIRLINE].brands
    name_of_spelling = np.arange(len(suppliers.spelled))
    places = sole_traders[:, np.newaxis] * SPELLINGS + np.arange(SPELLINGS)
    name_of_spelling[places] = len(suppliers.spelled) + np.arange(len(sole_traders))[:, np.newaxis]
    first_brand = len(suppliers.spelled) + len(sole_traders)
    return PublishedSuppliers(
        names=concatenated([replaced(suppliers.spelled, COMMA, SEMICOLON), texts(sole_names), texts(brands)]),
        name_of_spelling=name_of_spelling,
        sigepa_name_of_supplier=first_brand + np.arange(len(suppliers.ids)) % len(brands),
        ids=texts([*ids, ""]),
        house_provides=flags(*OWN_NUMBERS.values(), POST_NUMBER),
        is_post=flags(POST_NUMBER),
        is_undated=flags(OWN_NUMBERS[EXTENSION_LINE]),
        is_foreign=flags(FOREIGN_NUMBER),
    )


def masked_company(number: int) -> str:
    """A CNPJ under the House's mask, which puts the marks where they don't belong."""
    digits = f"{number:014}"
    return f"{digits[:3]}.{digits[3:6]}.{digits[6:9]}/{digits[9:13]}-{digits[13]}"


def masked_person(number: int) -> str:
    """A CPF under the same mask, cut short."""
    digits = f"{number:011}"
    return f"{digits[:3]}.{digits[3:6]}.{digits[6:9]}/{digits[9:]}  -"


def _own_number(label: str) -> int:
    return POST_NUMBER if label.startswith(POST_PREFIX) else OWN_NUMBERS.get(label, FOREIGN_NUMBER)


def _sole_traders(bits: PCG64, count: int) -> list[str]:
    cpfs = tax_ids.invented_persons(bits, count).tolist()
    return [f"{name} {cpf:011}" for name, cpf in zip(names.invented_persons(bits, count), cpfs, strict=True)]
