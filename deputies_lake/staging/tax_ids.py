"""Suppliers' tax ids: what kind they are, repaired where a publisher bent them, hidden where they are a person's.

CNPJs (companies, 14 digits) and CPFs (persons, 11 digits) end in two check digits, so an id that lost its leading
zeros or its last digits can be told from a wrong one. Since July 2026 a CNPJ's first twelve characters may be letters,
too. Column expressions only: all arithmetic on bigint, which Spark compiles to a few machine instructions a row (the
same by substrings of the text took ten times as long; only ids with letters are read like that).

Which column holds an id, and in what form, is said in the staging table's own file.
"""

import hashlib
from collections.abc import Collection, Sequence
from functools import reduce
from operator import add, or_
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from deputies_lake import redaction

CNPJ: Final = "cnpj"
CPF: Final = "cpf"
AMBIGUOUS: Final = "cpf_or_cnpj"
FUNCTIONAL: Final = "functional"
INVALID: Final = "invalid"
NONE: Final = "none"

# Reserved numbers for what has no supplier of its own: official phones, post, tolls, taxis. They fail the check
# digits, so they are recognised first.
_FUNCTIONAL_BELOW: Final = 100

# As a CPF's, but they start anew after 9.
_CNPJ_WEIGHTS: Final = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5, 6)

_CNPJ_LENGTH: Final = 14

# How pandas writes a number of a float column.
_WHOLE: Final = rf"^[0-9]{{1,{_CNPJ_LENGTH}}}\.0$"
_FLOAT: Final = r"^[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?$"

_CNPJ_WITH_LETTERS: Final = "^[0-9A-Z]{12}[0-9]{2}$"

# A row's key must stay what it was, so its name is hashed, too, where it has what was hidden once.
_ONCE_HIDDEN: Final = "[0-9]{11}|(^|[^0-9])[0-9]{3}[.][0-9]{3}[.][0-9]{3}[-/ ]?[0-9]{2}([^0-9]|$)"

# Longer ones are one in twenty of the House's long document numbers.
_SHORT_NUMBER: Final = 15

_HMAC_BLOCK: Final = 64


def with_number(rows: DataFrame, id_text: Column) -> DataFrame:
    """`rows` with `_number` (bigint): what a float column wrote as `3530749000139.0` or in digits.

    Null where the text is empty or no such number. A float is exact up to 2^53, well above 14 digits.
    """
    # Only what matches is cast: elsewhere a cast of another text fails the job where Spark's gives null.
    as_float = F.when(id_text.rlike(_FLOAT), id_text.cast("double"))
    # What stands before a final `.0` is read as it is, in a fifth of the time that reading a float takes.
    number = F.when(id_text.rlike(_WHOLE), F.substring_index(id_text, ".", 1).cast("bigint")).otherwise(
        F.when((as_float < 10**_CNPJ_LENGTH) & (as_float % 1 == 0), as_float.cast("bigint"))
    )
    return rows.withColumn("_number", number)


def with_repaired_number(rows: DataFrame, id_text: Column) -> DataFrame:
    """`rows` with `_number`: the id whose `%.12g` text, such as `2.01286200016e+12`, is `id_text`.

    Ids of 13 and 14 digits lost their last one or two to rounding. Those were check digits, which the others
    determine; rounding may also have lifted the id into the next branch. Of two candidates the head office (branch
    0001) is taken: right for 98 of 100 real ids.
    """
    known = with_number(rows, id_text)
    rounded = F.col("_number")
    base = _div(rounded, 100)
    # Few rows, much arithmetic: as a function over an array Spark interprets it, which beats compiling it three times.
    candidates = F.transform(F.array(base, base - 1, base + 1), _with_check_digits)
    fitting = F.filter(candidates, lambda candidate: _twelve_digits(candidate) == rounded)
    head_offices = F.filter(fitting, lambda candidate: _div(candidate, 100) % 10**4 == 1)
    repaired = F.coalesce(F.get(head_offices, F.lit(0)), F.get(fitting, F.lit(0)), rounded)
    return known.withColumn("_number", F.when(rounded < 10**12, rounded).otherwise(repaired))


def with_supplier(rows: DataFrame, *, id_text: Column) -> DataFrame:
    """`rows` with `supplier_id`, `supplier_id_kind` and `supplier_token`, and without `_number`.

    Of rows `with_key`, with a `supplier_name` that is `redacted`. `_number` is what could be read from `id_text`, the
    id as published. The id keeps its leading zeros, a person's is masked; the token tells suppliers apart.
    """
    known = rows.withColumns(
        {"_is_cnpj": _checks(F.col("_number"), _CNPJ_WEIGHTS), "_is_cpf": _is_cpf(F.col("_number"))}
    )
    return _described(known, id_text)


def with_punctuated_supplier(rows: DataFrame, *, id_text: Column) -> DataFrame:
    """`rows` with what `with_supplier` adds, of a source that publishes all characters of an id.

    Punctuation does not count, for the House's masks are often wrong (`037.139.030/0010-8`, `999.999.999/99  -`): 14
    characters are a company's, 11 a person's.
    """
    bare, number = F.col("_bare"), F.col("_number")
    is_long, is_short = F.length(bare) == _CNPJ_LENGTH, F.length(bare) == redaction.CPF_LENGTH
    known = (
        rows.withColumn("_bare", F.upper(F.translate(id_text, redaction.PUNCTUATION, "")))
        .withColumn("_number", F.when((is_long | is_short) & bare.rlike("^[0-9]+$"), bare.cast("bigint")))
        .withColumns(
            {
                "_is_cnpj": is_long & F.coalesce(_checks(number, _CNPJ_WEIGHTS), _checks_with_letters(bare)),
                "_is_cpf": is_short & F.coalesce(_checks(number, redaction.CPF_WEIGHTS), F.lit(False)),
            }
        )
    )
    return _described(known, bare).drop("_bare")


def _described(rows: DataFrame, id_text: Column) -> DataFrame:
    """`rows` with the supplier's three columns, made from `_number`, `_is_cnpj` and `_is_cpf`, which go."""
    # Each step is a projection of its own, so that what several need is computed once. Write the result before
    # filtering it: Spark would push the filter down and multiply these expressions into each other.
    known = rows.withColumn("supplier_id_kind", _kind(id_text)).withColumn("_digits", _digits(id_text))
    digits, kind = F.col("_digits"), F.col("supplier_id_kind")
    is_text, is_short = F.col("_number").isNull(), F.col("_number") < 10**redaction.CPF_LENGTH
    is_personal = kind.isin(CPF, AMBIGUOUS) | ((kind == INVALID) & (is_text | is_short))
    mask = F.concat(F.lit("***."), F.substring(digits, 4, 3), F.lit("."), F.substring(digits, 7, 3), F.lit("-**"))
    name_alone = F.upper(F.trim(F.regexp_replace("supplier_name", " +", " ")))
    return known.withColumns(
        {
            "supplier_id": F.when(is_personal, mask).otherwise(digits),
            "supplier_token": F.when(kind == NONE, name_alone).when(is_personal, keyed_hash(digits)).otherwise(digits),
        }
    ).drop("_number", "_is_cnpj", "_is_cpf", "_digits")


def with_key(rows: DataFrame, cpf_key: str) -> DataFrame:
    """`rows` with what `keyed_hash` needs of the key, `_inner_pad` and `_outer_pad`: select what you keep afterwards.

    In columns, for a plan shows every literal in it, and event logs keep the plans. Of a joined table a plan shows the
    names of its columns. As parameters the pads are in no statement's text, and no Python process is started for them.
    """
    secret = cpf_key.encode()
    if len(secret) > _HMAC_BLOCK:
        secret = hashlib.sha256(secret).digest()
    secret = secret.ljust(_HMAC_BLOCK, b"\0")
    inner, outer = (bytes(byte ^ pad for byte in secret) for pad in (0x36, 0x5C))
    key = rows.sparkSession.sql(
        "SELECT * FROM VALUES (:inner, :outer) AS key(_inner_pad, _outer_pad)", args={"inner": inner, "outer": outer}
    )
    return rows.crossJoin(F.broadcast(key))


def keyed_hash(text: Column) -> Column:
    """HMAC-SHA-256 in hexadecimal, of rows `with_key`.

    There are only 10^9 CPFs: without the key a hash of one is undone in minutes.
    """
    inner = F.sha2(F.concat("_inner_pad", text.cast("binary")), 256)
    return F.sha2(F.concat("_outer_pad", F.unhex(inner)), 256)


def redacted_label(label: Column, known: Collection[str]) -> Column:
    """A label, `redacted` where it is none of the `known`, as few are: the others cost no regular expression."""
    return F.when(label.isin(*known), label).otherwise(redacted(label))


def redacted_short_text(text: Column) -> Column:
    """A text that is seldom as long as a CPF, `redacted` where it is."""
    return F.when(F.length(text) < redaction.CPF_LENGTH, text).otherwise(redacted(text))


def code(text: Column) -> Column:
    """A publisher's code or number of something; null where it is as long as a CPF, which no code is."""
    return F.when(F.length(text) < redaction.CPF_LENGTH, text)


def short_number(text: Column) -> Column:
    """A text of eleven to fifteen digits, punctuation aside, as a bigint behind a 1, which keeps leading zeros.

    Null for any other text.
    """
    bare = F.translate(text, redaction.PUNCTUATION, "")
    return F.when(
        bare.rlike(rf"^[0-9]{{{redaction.CPF_LENGTH},{_SHORT_NUMBER}}}\z"), F.concat(F.lit("1"), bare).cast("bigint")
    )


def redacted(text: Column, short: Column | None = None) -> Column:
    """A text without what is or may be a CPF, such as the one that a sole trader's registered name ends with.

    The rule is `redaction`'s, whose `redacted_text` does the same to a Python text. Redact all of a table's texts in
    one projection, before the rest: Spark interprets a part of this, and does not compile such a projection into one
    with its neighbours. Where many texts are numbers, `short` is a column that holds their `short_number`: of these
    nothing is interpreted.
    """
    lone = text
    # Twice: of two that share what stands between them, the first takes it.
    for _ in range(2):
        lone = F.regexp_replace(lone, redaction.LONE, f"$1{redaction.HIDDEN}$2")
    holds = _holds_cpf(text)
    if short is not None:
        holds = F.when(short.isNotNull(), _short_number_holds_cpf(short)).otherwise(holds)
    hidden = F.when(holds, F.regexp_replace(text, redaction.LONG_NUMBER, redaction.HIDDEN)).otherwise(lone)
    return F.when(text.rlike(redaction.LONG_NUMBER), hidden).otherwise(text)


def _holds_cpf(text: Column) -> Column:
    """Whether eleven digits in a row, punctuation aside, are a CPF by their check digits."""
    runs = F.regexp_extract_all(F.translate(text, redaction.PUNCTUATION, ""), F.lit(redaction.DIGITS), F.lit(0))

    def windows(run: Column) -> Column:
        starts = F.sequence(F.lit(1), F.length(run) - (redaction.CPF_LENGTH - 1))
        return F.transform(starts, lambda start: run.substr(start, F.lit(redaction.CPF_LENGTH)).cast("bigint"))

    return F.exists(runs, lambda run: F.exists(windows(run), lambda number: _ends_in_cpf(number, 0)))


def _short_number_holds_cpf(short: Column) -> Column:
    last = _SHORT_NUMBER - redaction.CPF_LENGTH
    # Only the 1 in front of the digits tells how many there are.
    windows = (
        (short >= 10 ** (redaction.CPF_LENGTH + place)) & _ends_in_cpf(short, place) for place in range(last + 1)
    )
    found: Column = reduce(or_, windows)
    return found


def _ends_in_cpf(number: Column, place: int) -> Column:
    """Whether the eleven digits of a number that end at this place from its end are a CPF by their check digits."""
    # Digit by digit: nine in ten numbers fail the first one.
    first = _check_digit(number, place + 2, redaction.CPF_WEIGHTS[:-1]) == _digit(number, place + 1)
    second = _check_digit(number, place + 1, redaction.CPF_WEIGHTS) == _digit(number, place)
    digits = _div(number, 10**place) % 10**redaction.CPF_LENGTH
    return first & second & (digits % redaction.ONE_DIGIT_REPEATED != 0)


def told_apart(redacted_text: Column, text: Column) -> Column:
    """A `redacted` text, of rows `with_key`, that is still another for another original, `text`.

    What was hidden leaves the start of its keyed hash.
    """
    hidden = F.concat(redacted_text, F.lit("~"), F.substring(keyed_hash(text), 1, 8))
    return F.when(redacted_text != text, hidden).otherwise(text)


def in_row_key(columns: Sequence[str], id_text: str, name: str) -> list[Column]:
    """`columns` as a row's key may be made from them: an id or a name that may hold a CPF as a keyed hash.

    Of rows `with_key` with a `supplier_name` that is `redacted`. A bare hash of a row tells a masked CPF to whoever
    tries out its hidden digits.
    """
    # As a float a CPF ends in `.0`, elsewhere it may be punctuated.
    is_short = F.length(id_text).between(1, len("123.456.789-00"))
    is_hidden = (F.col("supplier_name") != F.col(name)) | F.col(name).rlike(_ONCE_HIDDEN)
    personal = {id_text: is_short, name: is_hidden}
    return [
        F.when(personal[column], keyed_hash(F.col(column))).otherwise(F.col(column))
        if column in personal
        else F.col(column)
        for column in columns
    ]


def _kind(id_text: Column) -> Column:
    number, is_cnpj, is_cpf = F.col("_number"), F.col("_is_cnpj"), F.col("_is_cpf")
    return (
        F.when(id_text == "", NONE)
        .when(number < _FUNCTIONAL_BELOW, FUNCTIONAL)
        .when(is_cnpj & is_cpf, AMBIGUOUS)
        .when(is_cnpj, CNPJ)
        .when(is_cpf, CPF)
        .otherwise(INVALID)
    )


def _digits(id_text: Column) -> Column:
    """14 digits for companies and functional numbers, 11 for persons; an id that is no number stays as it is.

    An invalid number is padded to the shorter form that holds it, so that whatever could be a CPF looks like one.
    """
    number, kind = F.col("_number"), F.col("supplier_id_kind")
    as_company = kind.isin(CNPJ, FUNCTIONAL) | (number >= 10**redaction.CPF_LENGTH)
    plain = number.cast("string")
    padded = F.when(as_company, F.lpad(plain, _CNPJ_LENGTH, "0")).otherwise(F.lpad(plain, redaction.CPF_LENGTH, "0"))
    return F.when(kind != NONE, F.coalesce(padded, id_text))


def _div(number: Column, divisor: int) -> Column:
    # `/` would go through floating point.
    return F.call_function("div", number, F.lit(divisor))


def _digit(number: Column, place: int) -> Column:
    return _div(number, 10**place) % 10


def _check_digit(number: Column, first_place: int, weights: Sequence[int]) -> Column:
    """11 minus the weighted sum modulo 11, 0 where that is above 9: in one expression, without a branch."""
    return _weighted_sum(number, first_place, weights) * 10 % 11 % 10


def _weighted_sum(number: Column, first_place: int, weights: Sequence[int]) -> Column:
    return reduce(add, (_digit(number, first_place + i) * weight for i, weight in enumerate(weights)))


def _with_check_digits(base: Column) -> Column:
    """A CNPJ's first twelve digits followed by the two that check them."""
    first = _check_digit(base, 0, _CNPJ_WEIGHTS[:-1])
    second = (_weighted_sum(base, 0, _CNPJ_WEIGHTS[1:]) + first * _CNPJ_WEIGHTS[0]) * 10 % 11 % 10
    return base * 100 + first * 10 + second


def _checks_with_letters(bare: Column) -> Column:
    """Whether a CNPJ of digits and capitals checks: a character counts as its ASCII code less 48, 17 for an A."""
    values = [F.ascii(F.substring(bare, place, 1)) - ord("0") for place in range(_CNPJ_LENGTH, 0, -1)]

    def check_digit(first_place: int, weights: Sequence[int]) -> Column:
        weighted = (value * weight for value, weight in zip(values[first_place:], weights, strict=True))
        return reduce(add, weighted) * 10 % 11 % 10

    fits = (check_digit(2, _CNPJ_WEIGHTS[:-1]) == values[1]) & (check_digit(1, _CNPJ_WEIGHTS) == values[0])
    return F.when(bare.rlike(_CNPJ_WITH_LETTERS), fits).otherwise(False)


def _twelve_digits(number: Column) -> Column:
    """What `%.12g` leaves of a number: twelve significant digits, halves to even."""
    return F.when(number >= 10**13, F.bround(number, -2)).when(number >= 10**12, F.bround(number, -1)).otherwise(number)


def _is_cpf(number: Column) -> Column:
    return (number < 10**redaction.CPF_LENGTH) & _checks(number, redaction.CPF_WEIGHTS)


def _checks(number: Column, weights: Sequence[int]) -> Column:
    """Whether the last two digits are those that the digits before them ask for."""
    first, second = _check_digit(number, 2, weights[:-1]), _check_digit(number, 1, weights)
    return first * 10 + second == number % 100
