"""Suppliers' tax ids: what kind they are, repaired where a publisher bent them, hidden where they are a person's.

CNPJs (companies, 14 digits) and CPFs (persons, 11 digits) end in two check digits, so an id that lost its leading
zeros or its last digits can be told from a wrong one. Column expressions only: all arithmetic on bigint, which Spark
compiles to a few machine instructions a row (the same by substrings of the text took ten times as long).

Which column holds an id, and in what form, is said in the staging table's own file.
"""

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Final

from pyspark.sql import Column
from pyspark.sql import functions as F

CNPJ: Final = "cnpj"
CPF: Final = "cpf"
AMBIGUOUS: Final = "cpf_or_cnpj"
FUNCTIONAL: Final = "functional"
INVALID: Final = "invalid"
NONE: Final = "none"

# Reserved numbers for what has no supplier of its own: official phones, post, tolls, taxis. They fail the check
# digits, so they are recognised first.
_FUNCTIONAL_BELOW: Final = 100

# Weights of the modulo-11 check digits, from the last digit to the first; a CNPJ's start anew after 9.
_CNPJ_WEIGHTS: Final = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5, 6)
_CPF_WEIGHTS: Final = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11)

_HMAC_BLOCK: Final = 64


def number_of_float_text(text: Column) -> Column:
    """The whole number (bigint) that a float column wrote as `3530749000139.0`, `2.01286200016e+12` or digits.

    Null where the text is empty or no such number. A float is exact up to 2^53, well above 14 digits.
    """
    number = text.cast("double")
    return F.when((number >= 0) & (number < 10**14) & (number == F.floor(number)), number.cast("bigint"))


def kind_of(text: Column, number: Column) -> Column:
    """Which kind of tax id the published `text` is; `number` is what could be read from it, or null."""
    is_cnpj, is_cpf = _is_cnpj(number), _is_cpf(number)
    return (
        F.when(text == "", NONE)
        .when(number.isNull(), INVALID)
        .when(number < _FUNCTIONAL_BELOW, FUNCTIONAL)
        .when(is_cnpj & is_cpf, AMBIGUOUS)
        .when(is_cnpj, CNPJ)
        .when(is_cpf, CPF)
        .otherwise(INVALID)
    )


def digits_of(text: Column, number: Column, kind: Column) -> Column:
    """The id as text with its leading zeros: 14 digits for companies and functional numbers, 11 for persons.

    An invalid number is padded to the shorter form that holds it, so that whatever could be a CPF looks like one;
    an id that is no number stays as published. Null where there is none.
    """
    digits = number.cast("string")
    as_company = kind.isin(CNPJ, FUNCTIONAL) | (number >= 10**11)
    padded = F.when(as_company, F.lpad(digits, 14, "0")).otherwise(F.lpad(digits, 11, "0"))
    return F.when(kind != NONE, F.coalesce(padded, text))


def repair_rounded_number(number: Column) -> Column:
    """The id whose `%.12g` text is `number`: a 13- or 14-digit id lost its last one or two digits to rounding.

    The digits lost are check digits, which the others determine; rounding may also have lifted the id into the next
    branch. Of two candidates the head office (branch 0001) is taken: right for 98 of 100 real ids.
    """
    bases = [_div(number, 100) + step for step in (0, -1, 1)]
    candidates = [_with_check_digits(base) for base in bases]
    fitting = [F.when(_twelve_digits(candidate) == number, candidate) for candidate in candidates]
    head_offices = [F.when(_div(candidate, 100) % 10**4 == 1, candidate) for candidate in fitting]
    return F.when(number < 10**12, number).otherwise(F.coalesce(*head_offices, *fitting, number))


def masked(digits: Column, kind: Column) -> Column:
    """The id fit to be read by anyone: a company's as it is, what is or may be a person's as `***.456.789-**`."""
    hidden = F.concat(F.lit("***."), F.substring(digits, 4, 3), F.lit("."), F.substring(digits, 7, 3), F.lit("-**"))
    return F.when(is_personal(digits, kind), hidden).otherwise(digits)


def is_personal(digits: Column, kind: Column) -> Column:
    return kind.isin(CPF, AMBIGUOUS) | ((kind == INVALID) & (F.length(digits) != 14))


def token(digits: Column, kind: Column, name: Column, key: str) -> Column:
    """What tells suppliers apart: a company's id, the keyed hash of a person's, or the name where there is no id."""
    by_name = F.upper(F.trim(F.regexp_replace(redact(name), " +", " ")))
    return F.when(kind == NONE, by_name).when(is_personal(digits, kind), keyed_hash(digits, key)).otherwise(digits)


def keyed_hash(text: Column, key: str) -> Column:
    """HMAC-SHA-256 in hexadecimal. There are only 10^9 CPFs: without the key a hash of one is undone in minutes."""
    secret = key.encode().ljust(_HMAC_BLOCK, b"\0")
    inner, outer = (F.lit(bytes(byte ^ pad for byte in secret)) for pad in (0x36, 0x5C))
    return F.sha2(F.concat(outer, F.unhex(F.sha2(F.concat(inner, text.cast("binary")), 256))), 256)


def redact(name: Column) -> Column:
    """A sole trader's registered name ends with the holder's CPF: any eleven digits in a row become asterisks."""
    return F.when(name.rlike("[0-9]{11}"), F.regexp_replace(name, "[0-9]{11}", "***********")).otherwise(name)


def _div(number: Column, divisor: int) -> Column:
    # `/` would go through floating point.
    return F.call_function("div", number, F.lit(divisor))


def _digit(number: Column, place: int) -> Column:
    return _div(number, 10**place) % 10


def _check_digit(number: Column, first_place: int, weights: Sequence[int]) -> Column:
    digits = [_digit(number, first_place + i) * weight for i, weight in enumerate(weights)]
    remainder = reduce(add, digits) % 11
    return F.when(remainder < 2, 0).otherwise(11 - remainder)


def _with_check_digits(base: Column) -> Column:
    """A CNPJ's first twelve digits followed by the two that check them."""
    first = _check_digit(base, 0, _CNPJ_WEIGHTS[:-1])
    thirteen = base * 10 + first
    return thirteen * 10 + _check_digit(thirteen, 0, _CNPJ_WEIGHTS)


def _twelve_digits(number: Column) -> Column:
    """What `%.12g` leaves of a number: twelve significant digits, halves to even."""
    return F.when(number >= 10**13, F.bround(number, -2)).when(number >= 10**12, F.bround(number, -1)).otherwise(number)


def _is_cnpj(number: Column) -> Column:
    return _checks(number, _CNPJ_WEIGHTS)


def _is_cpf(number: Column) -> Column:
    return (number < 10**11) & _checks(number, _CPF_WEIGHTS)


def _checks(number: Column, weights: Sequence[int]) -> Column:
    first, second = _check_digit(number, 2, weights[:-1]), _check_digit(number, 1, weights)
    return (first == _digit(number, 1)) & (second == _digit(number, 0))
