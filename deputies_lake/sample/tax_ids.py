"""Invented tax ids: companies' CNPJs that pass their check digits, persons' CPFs that fail them.

Here belongs only what a number is; who bears it stands in `suppliers`. Nobody real is named: CPFs are broken
on purpose, and companies get branch numbers from 9000, which no company uses. Ids are integers, so leading
zeros are already lost, as in Kaggle's files.
"""

from typing import Final

import numpy as np
from numpy.random import PCG64
from numpy.typing import NDArray

from deputies_lake.sample.draws import Integers, deal, integers

# Weights run 2, 3, 4... from the right; a CNPJ's start again after 9, a CPF's never need to.
CNPJ_TOP_WEIGHT: Final = 9
CPF_TOP_WEIGHT: Final = 11

FIRST_UNUSED_BRANCH: Final = 9000
UNUSED_BRANCHES: Final = 1000
ROOT_DIGITS: Final = 8
CPF_LIMIT: Final = 10**11
"""Above every CPF read as a number."""
CPF_BASES: Final = 10**9

SHARE_BY_LEADING_ZEROS: Final = (0.34, 0.56, 0.06, 0.03, 0.01)
"""How many of the root's leading digits are zero. From three on a company's id is no longer than a person's.

There are no more than four: with five every valid CNPJ is a valid CPF as well, and might be somebody's.
"""


def invented_companies(bits: PCG64, count: int) -> Integers:
    """Valid CNPJs, none of which could be taken for a valid CPF."""
    low = 10 ** (ROOT_DIGITS - 1 - deal(bits, count, SHARE_BY_LEADING_ZEROS))
    roots = low + integers(bits, count, 9 * 10 ** (ROOT_DIGITS - 1)) % (9 * low)
    companies = np.zeros(count, dtype=np.int64)
    unfit = np.ones(count, dtype=np.bool_)
    while unfit.any():
        branches = FIRST_UNUSED_BRANCH + integers(bits, count, UNUSED_BRANCHES)
        companies = np.where(unfit, _with_check_digits(roots * 10_000 + branches, CNPJ_TOP_WEIGHT), companies)
        unfit = _is_cpf(companies)
    return companies


def invented_persons(bits: PCG64, count: int) -> Integers:
    """CPFs with a wrong last digit, none of which is a valid CNPJ either."""
    valid = _with_check_digits(integers(bits, count, CPF_BASES), CPF_TOP_WEIGHT)
    broken = _with_next_last_digit(valid)
    return np.where(is_company(broken), _with_next_last_digit(broken), broken)


def is_company(numbers: Integers) -> NDArray[np.bool_]:
    """Which of the invented ids are CNPJs: by their check digits, for short ones look like CPFs."""
    return np.equal(numbers, _with_check_digits(numbers // 100, CNPJ_TOP_WEIGHT))


def _with_next_last_digit(numbers: Integers) -> Integers:
    return numbers // 10 * 10 + (numbers % 10 + 1) % 10


def _is_cpf(numbers: Integers) -> NDArray[np.bool_]:
    return (numbers < CPF_LIMIT) & np.equal(numbers, _with_check_digits(numbers // 100, CPF_TOP_WEIGHT))


def _with_check_digits(bases: Integers, top_weight: int) -> Integers:
    once = bases * 10 + _check_digit(bases, top_weight)
    return once * 10 + _check_digit(once, top_weight)


def _check_digit(numbers: Integers, top_weight: int) -> Integers:
    total = np.zeros_like(numbers)
    weight = 2
    while numbers.any():
        total += numbers % 10 * weight
        numbers = numbers // 10
        weight = 2 if weight == top_weight else weight + 1
    remainder = total % 11
    return np.where(remainder <= 1, 0, 11 - remainder)
