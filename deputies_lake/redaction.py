"""What hides the tax ids of persons (CPFs) in any text: the rule, and its face for texts of messages.

Its other face, a column expression for tables, is in `staging/tax_ids.py`; a test holds the two equal. The patterns
have neither look-behind nor look-ahead, which not all engines know.

A number is digits with nothing but `.`, `/`, `-` and blanks between them. What is hidden:
- a number of which eleven digits in a row are a CPF by their check digits. Of the windows of other numbers one in a
  hundred passes by chance: that many are hidden needlessly;
- eleven digits that stand alone, in a row or punctuated as a CPF is, whether they check or not: a mistyped CPF is
  still a person's.
"""

import re
from typing import Final

CPF_LENGTH: Final = 11
CPF_WEIGHTS: Final = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
"""Weights of the modulo-11 check digits, from the last digit to the first."""

HIDDEN: Final = "*" * CPF_LENGTH
PUNCTUATION: Final = "./- "
_WITHOUT_PUNCTUATION: Final = str.maketrans("", "", PUNCTUATION)

LONG_NUMBER: Final = "[0-9][0-9./ -]{9,}[0-9]"
"""What a CPF stands in, however it is written."""
DIGITS: Final = "[0-9]{11,}"
# The House punctuates a CNPJ alike, up to the eleventh digit; so what stands around it is part of the pattern.
LONE: Final = "(^|[^0-9])[0-9]{3}[.]?[0-9]{3}[.]?[0-9]{3}[-/ ]?[0-9]{2}([^0-9]|$)"

ONE_DIGIT_REPEATED: Final = 11_111_111_111
"""Its multiples pass the check digits, but nobody is given one: they are zeros and placeholders."""


def redacted_text(text: str) -> str:
    """`text` without what is or may be a CPF. Redact before you cut: of a number cut short nothing can be told."""
    if holds_cpf(text):
        return re.sub(LONG_NUMBER, HIDDEN, text)
    # Twice: of two that share what stands between them, the first takes it.
    for _ in range(2):
        text = re.sub(LONE, rf"\1{HIDDEN}\2", text)
    return text


def holds_cpf(text: str) -> bool:
    """Whether eleven digits in a row, punctuation aside, are a CPF by their check digits."""
    runs = re.findall(DIGITS, text.translate(_WITHOUT_PUNCTUATION))
    return any(_is_cpf(run[start : start + CPF_LENGTH]) for run in runs for start in range(len(run) - CPF_LENGTH + 1))


def _is_cpf(digits: str) -> bool:
    values = [int(digit) for digit in reversed(digits)]
    first = _check_digit(values[2:], CPF_WEIGHTS[:-1])
    second = _check_digit(values[1:], CPF_WEIGHTS)
    return (first, second) == (values[1], values[0]) and int(digits) % ONE_DIGIT_REPEATED != 0


def _check_digit(values: list[int], weights: tuple[int, ...]) -> int:
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) * 10 % 11 % 10
