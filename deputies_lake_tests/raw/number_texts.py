"""What may stand in a numeric column of a published file one day, in ordinary rows: drawn by hypothesis.

And what may be made of it: an own reading of amounts and whole numbers, by Python's `Decimal`, that shares nothing with
the one under test.
"""

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Final

from hypothesis import strategies as st

from deputies_lake.raw import chamber_expenses, kaggle_refunds, kaggle_reimbursements

NUMERIC: Final[Mapping[str, tuple[str, ...]]] = {
    chamber_expenses.CSV.source_code: (
        *("cpf", "ideCadastro", "nuCarteiraParlamentar", "nuLegislatura", "codLegislatura", "numSubCota"),
        *("numEspecificacaoSubCota", "txtCNPJCPF", "txtNumero", "indTipoDocumento", "vlrDocumento", "vlrGlosa"),
        *("vlrLiquido", "numMes", "numAno", "numParcela", "numLote", "numRessarcimento", "vlrRestituicao"),
        *("nuDeputadoId", "ideDocumento"),
    ),
    kaggle_reimbursements.CSV.source_code: (
        *("bugged_date", "receipt_date", "deputy_id", "receipt_social_security_number", "receipt_value"),
    ),
    kaggle_refunds.CSV.source_code: ("company_id", "refund_value", "party_tse", "party_nmembers"),
}
"""The columns of each source that hold amounts, ids, codes and parts of dates."""

_LIMITS: Final = tuple(
    limit + step for power in (8, 15, 16, 31, 32, 53, 63, 64) for limit in (2**power, 10**power) for step in (-1, 0, 1)
)
_WHOLE: Final = st.one_of(
    st.sampled_from(_LIMITS).map(str),
    st.text("0123456789", max_size=12),
    st.integers(1, 400).map("9".__mul__),
    st.integers(0, 400).map(lambda zeros: "0" * zeros + "7"),
)
_FRACTION: Final = st.one_of(st.just(""), st.just("."), st.text("0123456789", max_size=25).map(".{}".format))
_EXPONENT: Final = st.one_of(
    st.just(""),
    st.just(""),
    st.builds(
        "{}{}{}".format, st.sampled_from("eE"), st.sampled_from(["", "+", "-"]), st.text("0123456789", max_size=5)
    ),
)
_WRITTEN: Final = st.builds("{}{}{}{}".format, st.sampled_from(["", "", "-", "+", "--"]), _WHOLE, _FRACTION, _EXPONENT)
_CENTS: Final = st.integers(-(10**11), 10**11).map(lambda cents: cents / 100)
_FLOATS: Final = st.one_of(st.floats(), _CENTS, _CENTS).flatmap(
    lambda number: st.sampled_from([repr(number), f"{number:.17g}", f"{number:.15e}"])
)
_OTHER_DIGITS: Final = st.text(st.characters(categories=["Nd", "Nl", "No"]), min_size=1, max_size=6)
_BLANKS: Final = st.sampled_from([" ", "\t", "\u00a0", "\u2003", "\ufeff", "\0"])
_WORDS: Final = st.sampled_from(
    [
        *(
            "",
            " ",
            "\0",
            "NaN",
            "-Infinity",
            "inf",
            "None",
            "null",
            "NULL",
            "NA",
            "true",
            "0x7F",
            "0b1",
            "1_000",
            "1'000",
        ),
        *("1,5", "1.234,56", "1,234.56", "R$ 1", "(1.00)", "1%", "70f", "70d", "70L", "1/2", "-", "e5"),
    ]
)

TEXTS: Final = st.one_of(
    _WRITTEN,
    _WRITTEN,
    _FLOATS,
    _OTHER_DIGITS,
    _WORDS,
    st.builds("{}{}{}".format, _WRITTEN, _BLANKS, st.sampled_from(["", "0"])),
    st.builds("{}{}".format, _BLANKS, _WRITTEN),
)
"""One line each, and UTF-8."""

_NUMBER: Final = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_PLAIN: Final = re.compile(r"[-+]?[0-9]{1,8}(\.[0-9]{1,2})?")
_CENT: Final = Decimal("0.01")
_LARGEST: Final = Decimal("99999999.99")
_DOUBLE_ERROR: Final = Decimal("1e-14")
"""What a double of fifteen digits may be off, as a part of its value."""


def exact(text: str) -> Decimal | None:
    """The number that the text is, to its last digit; None where it is none, or out of reach of any column."""
    bare = text.strip(" ")
    if not _NUMBER.fullmatch(bare) or re.search("[eE][-+]?0*[0-9]{3}", bare):
        return None
    with localcontext(prec=1_000):
        return Decimal(bare)


def cents_of(text: str) -> Decimal:
    """The amount that the text is, to the cent. Only of a text that is one."""
    number = exact(text)
    assert number is not None
    with localcontext(prec=1_000):
        return number.quantize(_CENT, ROUND_HALF_UP)


def must_be_amount(text: str) -> bool:
    """Whether nobody could doubt that the text is an amount in BRL."""
    return bool(_PLAIN.fullmatch(text.strip(" ")))


def may_be_amount(text: str) -> bool:
    """Whether the text is a number of whole cents, but for what a double leaves behind, and no larger than amounts."""
    number = exact(text)
    if number is None:
        return False
    with localcontext(prec=1_000):
        cents = number.quantize(_CENT, ROUND_HALF_UP)
        return abs(cents) <= _LARGEST and abs(number - cents) <= abs(number) * _DOUBLE_ERROR
