"""CNPJ and CPF by the textbook, digit by digit in plain Python: what the lake's arithmetic is compared with."""

from collections.abc import Sequence
from itertools import count
from typing import Final

_CNPJ_FIRST: Final = (5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
_CNPJ_SECOND: Final = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
_CPF_FIRST: Final = (10, 9, 8, 7, 6, 5, 4, 3, 2)
_CPF_SECOND: Final = (11, 10, 9, 8, 7, 6, 5, 4, 3, 2)


def cnpj(base: str) -> str:
    """The CNPJ of these twelve digits."""
    first = _check_digit(base, _CNPJ_FIRST)
    return base + first + _check_digit(base + first, _CNPJ_SECOND)


def cpf(base: str) -> str:
    """The CPF of these nine digits."""
    first = _check_digit(base, _CPF_FIRST)
    return base + first + _check_digit(base + first, _CPF_SECOND)


def cnpj_with_letters(base: str) -> str:
    """The CNPJ of these twelve digits and capitals, each of which counts as its ASCII code less 48."""
    values = [ord(character) - 48 for character in base]
    for weights in (_CNPJ_FIRST, _CNPJ_SECOND):
        remainder = sum(value * weight for value, weight in zip(values, weights, strict=True)) % 11
        values.append(0 if remainder < 2 else 11 - remainder)
    return f"{base}{values[-2]}{values[-1]}"


def as_the_house_writes(number: str) -> str:
    """A CNPJ's 14 or a CPF's 11 characters under the House's one mask, which is made for neither."""
    grouped = f"{number[:3]}.{number[3:6]}.{number[6:9]}/"
    return f"{grouped}{number[9:13]}-{number[13]}" if len(number) == 14 else f"{grouped}{number[9:]}  -"


def is_cnpj(number: int) -> bool:
    digits = f"{number:014d}"
    return cnpj(digits[:12]) == digits


def is_cpf(number: int) -> bool:
    digits = f"{number:011d}"
    return len(digits) == len("00000000000") and cpf(digits[:9]) == digits


def kind(number: int) -> str:
    """What an id that lost its leading zeros can be."""
    if number < 100:
        return "functional"
    kinds = {(True, True): "cpf_or_cnpj", (True, False): "cnpj", (False, True): "cpf"}
    return kinds.get((is_cnpj(number), is_cpf(number)), "invalid")


def both(start: int) -> int:
    """The first number from `start` on that is a CPF and, with three leading zeros, a CNPJ too."""
    return next(number for base in count(start) if is_cnpj(number := int(cpf(f"{base:09d}"))))


def rounded_text(number: int) -> str:
    """The number with twelve significant digits in scientific notation, as `dirty_deputies_v2.csv` writes ids."""
    mantissa, _, exponent = f"{number:.11e}".partition("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{exponent}"


def candidates(text: str) -> set[int]:
    """Every CNPJ of 13 or 14 digits that is written as `text` when it is rounded."""
    nearby = range(int(float(text)) // 100 - 3, int(float(text)) // 100 + 4)
    ids = {int(cnpj(f"{base:012d}")) for base in nearby if 0 <= base < 10**12}
    return {number for number in ids if rounded_text(number) == text}


def _check_digit(digits: str, weights: Sequence[int]) -> str:
    remainder = sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True)) % 11
    return "0" if remainder < 2 else str(11 - remainder)
