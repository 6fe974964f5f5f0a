"""Suppliers' ids: recognised by their check digits, repaired where they were bent, hidden where they are a person's."""

import hashlib
import hmac
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from deputies_lake.redaction import redacted_text
from deputies_lake.reference import tables
from deputies_lake.staging import tax_ids
from deputies_lake_tests.redacted_texts import REDACTED, under_points
from deputies_lake_tests.staging import check_digits
from deputies_lake_tests.staging.raw_rows import CPF_KEY, in_batches

COMPANY: Final = check_digits.cnpj("012345670001")
PERSON: Final = check_digits.cpf("012345678")
BOTH: Final = check_digits.both(317_080)
MASKED_PERSON: Final = f"***.{PERSON[3:6]}.{PERSON[6:9]}-**"


def hmac_sha256(text: str, key: str = CPF_KEY) -> str:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def suppliers(rows: DataFrame, cpf_key: str = CPF_KEY) -> DataFrame:
    """Rows of `id` and `name` with what the lake makes of them."""
    shown = rows.withColumn("supplier_name", tax_ids.redacted(F.col("name")))
    numbered = tax_ids.with_number(tax_ids.with_key(shown, cpf_key), F.col("id"))
    return tax_ids.with_supplier(numbered, id_text=F.col("id"))


def read_all(spark: SparkSession, texts: Iterable[str], cpf_key: str = CPF_KEY) -> dict[str, Row]:
    """What becomes of each of these published ids, in one job."""
    rows = spark.createDataFrame([(text, "FORNECEDOR") for text in texts], "id string, name string")
    return {row["id"]: row for row in suppliers(rows, cpf_key).collect()}


def repaired(spark: SparkSession, texts: Iterable[str]) -> dict[str, int]:
    """What each of these rounded ids is repaired to, in one job."""
    rows = spark.createDataFrame([(text,) for text in texts], "id string")
    return {row["id"]: row["_number"] for row in tax_ids.with_repaired_number(rows, F.col("id")).collect()}


# The textbook implementation that the lake is compared with


@pytest.mark.parametrize("known", ["00000000000191", "11222333000181", "00031708000100"])
def test_the_textbook_knows_valid_companies(known: str) -> None:
    assert check_digits.cnpj(known[:12]) == known


@pytest.mark.parametrize("known", ["52998224725", "11144477735", "12345678909"])
def test_the_textbook_knows_valid_persons(known: str) -> None:
    assert check_digits.cpf(known[:9]) == known


# Single ids, each published text with the kind and the id that must come of it

IDS: Final[Mapping[str, tuple[str, str, str | None]]] = {
    "a company keeps its fourteen digits": ("11222333000181.0", "cnpj", "11222333000181"),
    "a company gets its leading zero back": (f"{int(COMPANY)}.0", "cnpj", COMPANY),
    "three leading zeros of a company come back": ("31708000100", "cnpj", "00031708000100"),
    "an id padded with zeros stays as it is": (COMPANY, "cnpj", COMPANY),
    "an id in scientific notation is read": ("1.1222333000181e+13", "cnpj", "11222333000181"),
    "digits without a decimal point are read": (f"{int(COMPANY)}", "cnpj", COMPANY),
    "a person is masked": (f"{float(PERSON)}", "cpf", MASKED_PERSON),
    "a person padded with zeros is masked": (PERSON, "cpf", MASKED_PERSON),
    "what may be a person is masked": (
        f"{BOTH}.0",
        "cpf_or_cnpj",
        f"***.{f'{BOTH:011d}'[3:6]}.{f'{BOTH:011d}'[6:9]}-**",
    ),
    "the functional number 1 is no company": ("1.0", "functional", "00000000000001"),
    "the functional number 2 is no company": ("2.0", "functional", "00000000000002"),
    "the functional number 10 is no company": ("10.0", "functional", "00000000000010"),
    "a functional number padded with zeros is one": ("00000000000006", "functional", "00000000000006"),
    "fourteen digits that don't check are invalid and shown": ("11222333000182.0", "invalid", "11222333000182"),
    "eleven digits that don't check are invalid and masked": ("12345678900.0", "invalid", "***.456.789-**"),
    "few digits that don't check are masked like a person": ("45678900", "invalid", "***.456.789-**"),
    "no text is no id": ("", "none", None),
    "an id with a fraction is invalid and masked": ("12345678909.5", "invalid", "***.456.789-**"),
}


@pytest.fixture(scope="module")
def ids(spark: SparkSession) -> dict[str, Row]:
    return read_all(spark, [text for text, _, _ in IDS.values()])


@pytest.mark.parametrize("must", IDS)
def test_an_id_is_read(must: str, ids: Mapping[str, Row]) -> None:
    text, kind, supplier_id = IDS[must]
    assert (ids[text]["supplier_id_kind"], ids[text]["supplier_id"]) == (kind, supplier_id)


NO_IDS: Final = ("abc", " ", "-1.0", "nan", "inf", "100000000000000", "1e15", "1,5", "11222333000181,0")
FOURTEEN_CHARACTERS: Final = ("123.456.789-09", "-12345678909.0", "12345678909-00")


@pytest.fixture(scope="module")
def odd_ids(spark: SparkSession) -> dict[str, Row]:
    return read_all(spark, [*NO_IDS, *FOURTEEN_CHARACTERS])


@pytest.mark.parametrize("text", NO_IDS)
def test_what_is_no_id_is_invalid(text: str, odd_ids: Mapping[str, Row]) -> None:
    assert odd_ids[text]["supplier_id_kind"] == "invalid"


@pytest.mark.parametrize("text", FOURTEEN_CHARACTERS)
def test_a_text_as_long_as_a_companys_id_that_holds_a_persons_is_not_shown(
    text: str, odd_ids: Mapping[str, Row]
) -> None:
    assert text not in (odd_ids[text]["supplier_id"], odd_ids[text]["supplier_token"])


# Ids of which all characters are published, under whatever punctuation

ALPHANUMERIC: Final = "12ABC34501DE35"
PUNCTUATED: Final[Mapping[str, tuple[str, str, str | None]]] = {
    "a company under a person's mask": (check_digits.as_the_house_writes(COMPANY), "cnpj", COMPANY),
    "a company under its own mask": ("11.222.333/0001-81", "cnpj", "11222333000181"),
    "a company with a blank at the end": (f"{check_digits.as_the_house_writes(COMPANY)} ", "cnpj", COMPANY),
    "a company without a mask": (COMPANY, "cnpj", COMPANY),
    "a company of a small number, which is no person": ("00031708000100", "cnpj", "00031708000100"),
    "a person under the House's mask": (check_digits.as_the_house_writes(PERSON), "cpf", MASKED_PERSON),
    "a person with blanks at the end": (f"{check_digits.as_the_house_writes(PERSON)}  ", "cpf", MASKED_PERSON),
    "a person without a mask": (PERSON, "cpf", MASKED_PERSON),
    "eleven digits that could be a company's are a person's": (
        f"{BOTH:011d}",
        "cpf",
        f"***.{f'{BOTH:011d}'[3:6]}.{f'{BOTH:011d}'[6:9]}-**",
    ),
    "fourteen digits that could be a person's are a company's": (f"{BOTH:014d}", "cnpj", f"{BOTH:014d}"),
    "no text": ("", "none", None),
    "nothing but punctuation": (" -", "none", None),
    "a company with letters": ("12.ABC.345/01DE-35", "cnpj", ALPHANUMERIC),
    "a company with small letters": ("12.abc.345/01de-35", "cnpj", ALPHANUMERIC),
    "a company with letters under the House's mask": (
        check_digits.as_the_house_writes(ALPHANUMERIC),
        "cnpj",
        ALPHANUMERIC,
    ),
    "a company with letters that don't check": ("12.ABC.345/01DE-36", "invalid", "***.BC3.450-**"),
    "letters where the check digits are": ("12ABC34501DE3A", "invalid", "***.BC3.450-**"),
    "fourteen digits that don't check are shown": ("11.222.333/0001-82", "invalid", "11222333000182"),
    "eleven digits that don't check are masked": ("123.456.789-00", "invalid", "***.456.789-**"),
    "a person padded to a company's length is masked": (f"000{PERSON}", "invalid", MASKED_PERSON),
    "twelve digits are neither a company nor a person": ("123456789012", "invalid", "***.456.789-**"),
    **{
        f"{row['name_en']} is no company": (
            check_digits.as_the_house_writes(row["supplier_id"]),
            "functional",
            row["supplier_id"],
        )
        for row in tables.rows("functional_suppliers")
    },
    "fourteen zeros are no company": ("00000000000000", "functional", "00000000000000"),
}


def read_punctuated(spark: SparkSession, texts: Iterable[str]) -> dict[str, Row]:
    """What becomes of each of these published ids, in one job."""
    rows = spark.createDataFrame([(text, "FORNECEDOR") for text in texts], "id string, name string")
    shown = rows.withColumn("supplier_name", tax_ids.redacted(F.col("name")))
    known = tax_ids.with_punctuated_supplier(tax_ids.with_key(shown, CPF_KEY), id_text=F.col("id"))
    return {row["id"]: row for row in known.collect()}


@pytest.fixture(scope="module")
def punctuated(spark: SparkSession) -> dict[str, Row]:
    return read_punctuated(spark, [text for text, _, _ in PUNCTUATED.values()])


@pytest.mark.parametrize("must", PUNCTUATED)
def test_a_punctuated_id_is_read(must: str, punctuated: Mapping[str, Row]) -> None:
    text, kind, supplier_id = PUNCTUATED[must]
    assert (punctuated[text]["supplier_id_kind"], punctuated[text]["supplier_id"]) == (kind, supplier_id)


def test_both_readings_of_an_id_give_the_same_columns(spark: SparkSession, punctuated: Mapping[str, Row]) -> None:
    assert punctuated[COMPANY].asDict().keys() == read_all(spark, [COMPANY])[COMPANY].asDict().keys()


@pytest.mark.parametrize("number", [COMPANY, PERSON])
def test_a_supplier_has_one_token_whichever_source_names_it(
    number: str, spark: SparkSession, punctuated: Mapping[str, Row]
) -> None:
    of_kaggle = read_all(spark, [f"{int(number)}.0"])[f"{int(number)}.0"]
    assert punctuated[number]["supplier_token"] == of_kaggle["supplier_token"]


def test_the_textbook_knows_the_companies_with_letters_that_the_revenue_service_gives_as_an_example() -> None:
    assert check_digits.cnpj_with_letters(ALPHANUMERIC[:12]) == ALPHANUMERIC


@in_batches
@given(bases=st.lists(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=12, max_size=12), min_size=100))
def test_every_company_with_letters_is_recognised(spark: SparkSession, bases: Sequence[str]) -> None:
    written = {check_digits.as_the_house_writes(check_digits.cnpj_with_letters(base)) for base in bases}
    assert {row["supplier_id_kind"] for row in read_punctuated(spark, written).values()} <= {"cnpj", "functional"}


@in_batches
@given(bases=st.lists(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=12, max_size=12), min_size=100))
def test_no_company_with_letters_and_a_wrong_check_digit_is_recognised(
    spark: SparkSession, bases: Sequence[str]
) -> None:
    right = [check_digits.cnpj_with_letters(base) for base in bases]
    wrong = {f"{number[:13]}{(int(number[13]) + 1) % 10}" for number in right}
    assert {row["supplier_id_kind"] for row in read_punctuated(spark, wrong).values()} <= {"invalid", "functional"}


# Check digits, against the textbook

bases: Final = st.integers(0, 10**12 - 1)
spellings: Final = st.sampled_from(["{}.0", "{}", "{:014d}", "{:.13e}"])


@in_batches
@given(written=st.lists(st.tuples(bases, spellings), min_size=150, max_size=150))
def test_every_company_is_recognised_however_its_id_is_written(
    spark: SparkSession, written: Sequence[tuple[int, str]]
) -> None:
    ids = [(int(check_digits.cnpj(f"{base:012d}")), spelling) for base, spelling in written]
    expected = {spelling.format(number): check_digits.kind(number) for number, spelling in ids}
    assert {text: row["supplier_id_kind"] for text, row in read_all(spark, expected).items()} == expected


@in_batches
@given(nine_digits=st.lists(st.integers(0, 10**9 - 1), min_size=150, max_size=150))
def test_every_person_is_recognised(spark: SparkSession, nine_digits: Sequence[int]) -> None:
    numbers = [int(check_digits.cpf(f"{base:09d}")) for base in nine_digits]
    expected = {f"{number}.0": check_digits.kind(number) for number in numbers}
    assert {text: row["supplier_id_kind"] for text, row in read_all(spark, expected).items()} == expected


@in_batches
@given(
    wrong=st.lists(st.tuples(bases, st.integers(0, 13), st.integers(1, 9), st.booleans()), min_size=200, max_size=200)
)
def test_one_wrong_digit_is_noticed_where_the_textbook_notices_it(
    spark: SparkSession, wrong: Sequence[tuple[int, int, int, bool]]
) -> None:
    # The check digits can't notice all: of a few pairs of digits both give 0 where a remainder of 0 became one of 1.
    expected = {}
    for base, place, shift, person in wrong:
        right = check_digits.cpf(f"{base % 10**9:09d}") if person else check_digits.cnpj(f"{base:012d}")
        place_of = place % len(right)
        digits = f"{right[:place_of]}{(int(right[place_of]) + shift) % 10}{right[place_of + 1 :]}"
        expected[f"{int(digits)}.0"] = check_digits.kind(int(digits))
    assert {text: row["supplier_id_kind"] for text, row in read_all(spark, expected).items()} == expected


def test_a_wrong_check_digit_is_always_noticed(spark: SparkSession) -> None:
    right = check_digits.cnpj("112223330001")
    wrong = {f"{right[:12]}{ending:02d}" for ending in range(100)} - {right}
    assert {row["supplier_id_kind"] for row in read_all(spark, wrong).values()} == {"invalid"}


# Ids rounded to twelve significant digits

_RANDOM: Final = random.Random(2016)


def companies(branch: int, many: int) -> list[int]:
    return [int(check_digits.cnpj(f"{_RANDOM.randrange(10**4, 10**8):08d}{branch:04d}")) for _ in range(many)]


BRANCHES: Final = {branch: companies(branch, 1_500) for branch in (1, 2, 3)}
ROUNDED: Final = [(branch, number) for branch, numbers in BRANCHES.items() for number in numbers]


@pytest.fixture(scope="module")
def repairs(spark: SparkSession) -> dict[str, int]:
    return repaired(spark, {check_digits.rounded_text(number) for _, number in ROUNDED})


def test_a_head_offices_id_is_repaired_to_the_digit(repairs: Mapping[str, int]) -> None:
    wrong = [n for n in BRANCHES[1] if repairs[check_digits.rounded_text(n)] != n]
    assert not wrong


def test_every_id_is_repaired_to_a_company_that_is_rounded_to_the_same_text(repairs: Mapping[str, int]) -> None:
    long = {text: number for text, number in repairs.items() if number >= 10**12}
    wrong = [text for text, number in long.items() if number not in check_digits.candidates(text)]
    assert len(long) > 3_000
    assert not wrong


def test_an_id_with_one_candidate_is_repaired_whatever_its_branch(repairs: Mapping[str, int]) -> None:
    texts = {n: check_digits.rounded_text(n) for _, n in ROUNDED if n >= 10**12}
    alone = {n: text for n, text in texts.items() if check_digits.candidates(text) == {n}}
    assert len(alone) > 2_000
    assert [n for n, text in alone.items() if repairs[text] != n] == []


def test_an_id_of_at_most_twelve_digits_was_not_rounded_and_stays(repairs: Mapping[str, int]) -> None:
    short = [n for _, n in ROUNDED if n < 10**12]
    assert len(short) > 10
    assert [n for n in short if repairs[check_digits.rounded_text(n)] != n] == []


def ties(digits: int) -> list[int]:
    """Head offices whose lost digits are exactly a half, with an even and an odd digit before them."""
    lost, half = (100, 50) if digits == 14 else (10, 5)
    roots = _RANDOM.sample(range(10 ** (digits - 7), 10 ** (digits - 6)), 20_000)
    ids = [int(check_digits.cnpj(f"{root:08d}0001")) for root in roots]
    return [number for number in ids if number % lost == half]


@pytest.mark.parametrize("digits", [13, 14])
def test_a_half_is_rounded_to_the_even_digit(digits: int, spark: SparkSession) -> None:
    numbers = ties(digits)
    found = repaired(spark, [check_digits.rounded_text(number) for number in numbers])
    assert len(numbers) > 20
    assert [n for n in numbers if found[check_digits.rounded_text(n)] != n] == []


def test_an_id_rounded_into_the_next_branch_comes_back(spark: SparkSession) -> None:
    lifted = [n for n in BRANCHES[1] if n >= 10**13 and n % 100 > 50]
    assert all(int(float(check_digits.rounded_text(n))) // 100 % 10**4 == 2 for n in lifted)
    found = repaired(spark, [check_digits.rounded_text(n) for n in lifted])
    assert [n for n in lifted if found[check_digits.rounded_text(n)] != n] == []


def test_a_rounded_number_that_no_company_has_stays(spark: SparkSession) -> None:
    texts = [check_digits.rounded_text(number) for number in _RANDOM.sample(range(10**12, 10**14), 500)]
    strange = [text for text in texts if not check_digits.candidates(text)]
    assert len(strange) > 10
    assert repaired(spark, strange) == {text: int(float(text)) for text in strange}


# What hides persons and tells suppliers apart

HASHED: Final = ["", "12345678909", PERSON, "São João", "x" * 100]


@pytest.mark.parametrize("key", ["k", CPF_KEY, "k" * 64, "chave não ASCII"])
def test_the_keyed_hash_is_hmac_sha256(key: str, spark: SparkSession) -> None:
    rows = spark.createDataFrame([(text,) for text in HASHED], "text string")
    hashed = tax_ids.with_key(rows, key).select("text", tax_ids.keyed_hash(F.col("text")).alias("hash"))
    assert {row["text"]: row["hash"] for row in hashed.collect()} == {text: hmac_sha256(text, key) for text in HASHED}


def test_the_keyed_hash_is_hmac_sha256_with_a_key_longer_than_a_block(spark: SparkSession) -> None:
    key = "0123456789abcdef" * 6
    hashed = tax_ids.with_key(spark.range(1), key).select(tax_ids.keyed_hash(F.lit(PERSON)).alias("hash"))
    assert hashed.collect()[0]["hash"] == hmac_sha256(PERSON, key)


def test_a_persons_token_is_the_keyed_hash_of_all_eleven_digits(spark: SparkSession) -> None:
    text = f"{float(PERSON)}"
    assert read_all(spark, [text])[text]["supplier_token"] == hmac_sha256(PERSON)


def test_a_persons_token_depends_on_the_key(spark: SparkSession) -> None:
    assert read_all(spark, [PERSON], "another key")[PERSON]["supplier_token"] == hmac_sha256(PERSON, "another key")


def test_a_companys_token_is_its_id(ids: Mapping[str, Row]) -> None:
    assert ids[COMPANY]["supplier_token"] == COMPANY


NAMES: Final[Mapping[str, tuple[str, str]]] = {
    "a name without digits stays": ("AUTO POSTO LTDA", "AUTO POSTO LTDA"),
    "a sole trader's name loses the holder's CPF": ("FULANO DE TAL 12345678909", "FULANO DE TAL ***********"),
    "two CPFs in a name are both lost": ("12345678909 E 11144477735", "*********** E ***********"),
    "ten digits in a name stay": ("POSTO 1234567890", "POSTO 1234567890"),
    "a name's blanks stay as published": ("AUTO  POSTO ", "AUTO  POSTO "),
    "no name stays none": ("", ""),
}


@pytest.fixture(scope="module")
def names(spark: SparkSession) -> dict[str, Row]:
    rows = spark.createDataFrame([("", name) for name, _ in NAMES.values()], "id string, name string")
    return {row["name"]: row for row in suppliers(rows).collect()}


@pytest.mark.parametrize("must", NAMES)
def test_a_name_is_shown_without_a_cpf(must: str, names: Mapping[str, Row]) -> None:
    published, shown = NAMES[must]
    assert names[published]["supplier_name"] == shown


def redacted(spark: SparkSession, texts: Iterable[str]) -> dict[str, str]:
    """What tables show of each of these texts, in one job: the same, whether or not most of them are numbers."""
    text = F.col("text")
    rows = spark.createDataFrame([(text,) for text in texts], "text string")
    numbered = rows.withColumn("short", tax_ids.short_number(text))
    found = numbered.select("text", tax_ids.redacted(text), tax_ids.redacted(text, F.col("short"))).collect()
    assert [one for _, one, another in found if one != another] == []
    return {text: shown for text, shown, _ in found}


def test_a_table_shows_what_a_message_shows(spark: SparkSession) -> None:
    assert redacted(spark, [text for text, _ in REDACTED.values()]) == dict(REDACTED.values())


mostly_digits: Final = st.lists(
    st.one_of(
        st.text("0123456789./- ;A\n", max_size=16),
        st.text("0123456789", min_size=10, max_size=17),
        st.integers(0, 10**9 - 1).map(lambda base: check_digits.cpf(f"{base:09d}")),
        st.integers(0, 10**9 - 1).map(lambda base: under_points(check_digits.cpf(f"{base:09d}"))),
        st.text(max_size=3),
    ),
    max_size=4,
).map("".join)


@in_batches
@given(texts=st.lists(mostly_digits, min_size=300, max_size=300))
def test_a_table_shows_of_any_text_what_a_message_shows(spark: SparkSession, texts: Sequence[str]) -> None:
    assert redacted(spark, texts) == {text: redacted_text(text) for text in texts}


def test_nothing_is_redacted_to_nothing(spark: SparkSession) -> None:
    assert spark.range(1).select(tax_ids.redacted(F.lit(None).cast("string"))).collect()[0][0] is None


def test_the_token_of_a_supplier_without_an_id_holds_no_cpf(names: Mapping[str, Row]) -> None:
    assert names["FULANO DE TAL 12345678909"]["supplier_token"] == "FULANO DE TAL ***********"


EQUAL: Final[Mapping[str, tuple[tuple[str, str], tuple[str, str]]]] = {
    "one company under two names": ((COMPANY, "AUTO POSTO"), (f"{int(COMPANY)}.0", "Posto do Zé")),
    "one person under two names": ((PERSON, "FULANA"), (f"{float(PERSON)}", "FULANA DE TAL")),
    "one name without an id in capitals and not": (("", "Celular Funcional"), ("", "CELULAR FUNCIONAL")),
    "one name without an id with more blanks": (("", " CELULAR   FUNCIONAL "), ("", "CELULAR FUNCIONAL")),
}
DIFFERENT: Final[Mapping[str, tuple[tuple[str, str], tuple[str, str]]]] = {
    "two branches of a company": (("11222333000181", "POSTO"), (check_digits.cnpj("112223330002"), "POSTO")),
    "two persons of one name": (("12345678909", "FULANA"), ("11144477735", "FULANA")),
    "two names without an id": (("", "CELULAR FUNCIONAL"), ("", "RAMAL")),
    "a name with and without an id": (("11222333000181", "POSTO"), ("", "POSTO")),
    "two functional numbers": (("1.0", "CORREIOS"), ("2.0", "CORREIOS")),
}


@pytest.fixture(scope="module")
def tokens(spark: SparkSession) -> dict[tuple[str, str], str]:
    pairs = {supplier for two in (*EQUAL.values(), *DIFFERENT.values()) for supplier in two}
    rows = spark.createDataFrame(sorted(pairs), "id string, name string")
    return {(row["id"], row["name"]): row["supplier_token"] for row in suppliers(rows).collect()}


@pytest.mark.parametrize("what", EQUAL)
def test_receipts_of_one_supplier_share_a_token(what: str, tokens: Mapping[tuple[str, str], str]) -> None:
    one, other = EQUAL[what]
    assert tokens[one] == tokens[other]


@pytest.mark.parametrize("what", DIFFERENT)
def test_different_suppliers_have_different_tokens(what: str, tokens: Mapping[tuple[str, str], str]) -> None:
    one, other = DIFFERENT[what]
    assert tokens[one] != tokens[other]
