"""Messages show no CPF: the redaction of texts in Python. `staging/test_tax_ids.py` holds it equal to the tables'."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deputies_lake.redaction import holds_cpf, redacted_text
from deputies_lake_tests.redacted_texts import REDACTED
from deputies_lake_tests.staging import check_digits

cpfs = st.integers(1, 10**9 - 1).map(lambda base: check_digits.cpf(f"{base:09d}"))
signs = st.lists(st.text("./- ", max_size=3), min_size=10, max_size=10)
noise = st.text("0123456789./- ;,AZ\n", max_size=30)


@pytest.mark.parametrize("must", REDACTED)
def test_a_text_is_redacted(must: str) -> None:
    text, redacted = REDACTED[must]
    assert redacted_text(text) == redacted


@given(cpf=cpfs, signs=signs, before=noise, after=noise)
def test_no_cpf_is_shown_however_it_is_punctuated_and_wherever_it_stands(
    cpf: str, signs: Sequence[str], before: str, after: str
) -> None:
    repeated = len(set(cpf)) == 1
    text = before + cpf[0] + "".join(sign + digit for sign, digit in zip(signs, cpf[1:], strict=True)) + after
    assert repeated or cpf not in re.sub(r"\D", "", redacted_text(text))


@given(text=noise)
def test_what_is_redacted_holds_no_cpf_and_stays_as_it_is(text: str) -> None:
    once = redacted_text(text)
    assert not holds_cpf(once)
    assert redacted_text(once) == once


@given(text=noise)
def test_no_eleven_digits_stand_alone_in_what_is_redacted(text: str) -> None:
    assert not re.search(r"(?<!\d)\d{11}(?!\d)", redacted_text(text))


@pytest.mark.parametrize("digits", range(10))
def test_one_digit_repeated_is_nobodys(digits: int) -> None:
    assert not holds_cpf(str(digits) * 11)


def test_a_very_long_number_is_redacted_too() -> None:
    assert redacted_text("7" * 20_000 + check_digits.cpf("012345678")) == "*" * 11
