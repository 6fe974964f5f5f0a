"""Texts with what must become of them: both faces of the redaction are tested with these. Nobody in them is real."""

from collections.abc import Mapping
from typing import Final

from deputies_lake_tests.staging import check_digits

PERSON: Final = check_digits.cpf("012345678")
OTHER_PERSON: Final = check_digits.cpf("987654321")
STARS: Final = "*" * 11


def under_points(cpf: str) -> str:
    return f"{cpf[:3]}.{cpf[3:6]}.{cpf[6:9]}-{cpf[9:]}"


REDACTED: Final[Mapping[str, tuple[str, str]]] = {
    "a text without digits stays": ("AUTO POSTO LTDA", "AUTO POSTO LTDA"),
    "no text stays none": ("", ""),
    "blanks stay": ("AUTO  POSTO ", "AUTO  POSTO "),
    "a CPF at the end of a name is hidden": (f"FULANO DE TAL {PERSON}", f"FULANO DE TAL {STARS}"),
    "a CPF and nothing else is hidden": (PERSON, STARS),
    "eleven digits that stand alone are hidden though they don't check": ("A 12345678900 B", f"A {STARS} B"),
    "two such that share a comma are both hidden": ("12345678900,12345678901", f"{STARS},{STARS}"),
    "three such that share separators are all hidden": (
        "12345678900;12345678901;12345678902",
        f"{STARS};{STARS};{STARS}",
    ),
    "two CPFs are both hidden": (f"{PERSON} E {OTHER_PERSON}", f"{STARS} E {STARS}"),
    "digits that stand alone between letters are hidden": ("NF12345678900X", f"NF{STARS}X"),
    "digits on a line of their own are hidden": ("A\n12345678900\nB", f"A\n{STARS}\nB"),
    "ten digits stay": ("POSTO 1234567890", "POSTO 1234567890"),
    "a document's number of fifteen digits stays": ("202200000000154", "202200000000154"),
    "a company's id stays": ("11222333000181", "11222333000181"),
    "a company's id under the House's punctuation stays": ("011.222.333/0001-8", "011.222.333/0001-8"),
    "a number with a CPF in its middle is hidden": (f"2022{PERSON}01", STARS),
    "a number that begins with a CPF is hidden": (f"{PERSON}0001", STARS),
    "a CPF padded to a company's length is hidden": (f"000{PERSON}", STARS),
    "of digits of which two windows are CPFs none is left": (f"{PERSON}{OTHER_PERSON}", STARS),
    "zeros in a number are nobody's CPF": ("000000000000013", "000000000000013"),
    "a punctuated CPF is hidden": (f"A {under_points(PERSON)} B", f"A {STARS} B"),
    "what is punctuated as a CPF is hidden though it doesn't check": (
        "A 123.456.789-00 B",
        f"A {STARS} B",
    ),
    "two punctuated ones that share a comma are both hidden": (
        "123.456.789-00,123.456.789-01",
        f"{STARS},{STARS}",
    ),
    "so is what the House punctuates as one": ("123.456.789/00  -", f"{STARS}  -"),
    "so is what lacks the last sign": ("123.456.78900", STARS),
    "a CPF with one sign is hidden": (f"{PERSON[:9]}-{PERSON[9:]}", STARS),
    "a CPF in groups is hidden": (f"{PERSON[:3]} {PERSON[3:6]} {PERSON[6:9]} {PERSON[9:]}", STARS),
    "a CPF under wrong punctuation is hidden": (f"{PERSON[:3]}/{PERSON[3:6]} - {PERSON[6:9]}.{PERSON[9:]}", STARS),
    "so is what has the last sign only": ("123456789-00", STARS),
    "eleven digits under other punctuation that don't check stay": ("123 456 789 00", "123 456 789 00"),
    "what stands beside a hidden number stays": (f"AÇAÍ Nº {PERSON}, 12-34", f"AÇAÍ Nº {STARS}, 12-34"),
    "characters beyond the basic plane stay": (f"😀{PERSON}😀 12345678900", f"😀{STARS}😀 {STARS}"),
}
