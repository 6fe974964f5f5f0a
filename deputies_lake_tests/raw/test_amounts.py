"""Which texts are amounts: the same for Arrow here and for Spark in `staging/test_texts.py`, on one list of texts."""

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deputies_lake.raw.amounts import readable_amounts
from deputies_lake_tests.raw.amount_texts import AMOUNTS, NO_AMOUNTS


def amounts_of(*texts: str) -> list[Decimal | None]:
    amounts: list[Decimal | None] = readable_amounts(pa.chunked_array([texts])).to_pylist()
    return amounts


@pytest.mark.parametrize(("text", "amount"), AMOUNTS.items())
def test_an_amount_is_read_exactly(text: str, amount: str) -> None:
    assert amounts_of(text) == [Decimal(amount)]


@pytest.mark.parametrize("text", NO_AMOUNTS)
def test_what_is_no_amount_is_null_and_not_guessed(text: str) -> None:
    assert amounts_of(text) == [None]


def test_an_amount_with_more_zeros_than_fit_stops_nothing() -> None:
    assert amounts_of("70", "0.1" + "0" * 40) == [Decimal(70), None]


CENTS = st.integers(-(10**10) + 1, 10**10 - 1)


@settings(deadline=None)
@given(cents=st.lists(CENTS, min_size=1))
def test_whatever_cents_a_float_was_made_of_they_are_read_however_it_is_printed(cents: list[int]) -> None:
    for spell in ("{!r}", "{:.17g}", "{:.15e}", "{:.16e}", "{:.2f}", "{:+.2f}"):
        texts = [spell.format(number / 100) for number in cents]
        # As the House's program printed exponents, with three digits.
        for printed in (texts, [text.replace("e+", "e+0") for text in texts]):
            told = [number for number, text in zip(cents, printed, strict=True) if "e-" not in text]
            assert amounts_of(*(text for text in printed if "e-" not in text)) == [
                Decimal(number).scaleb(-2) for number in told
            ]


@settings(deadline=None)
@given(thousandths=st.lists(st.integers(-(10**8), 10**8).filter(lambda n: n % 10), min_size=1))
def test_nothing_below_a_cent_is_rounded_away(thousandths: list[int]) -> None:
    texts = [spelled for n in thousandths for spelled in (f"{n / 1000!r}", f"{n / 1000:.17g}", f"{n / 1000:.15e}")]
    assert amounts_of(*texts) == [None] * len(texts)
