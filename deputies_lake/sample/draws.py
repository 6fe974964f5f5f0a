"""Chance that repeats: numbers drawn and shares dealt so that a seed gives the same result on every machine.

Only what every generator of samples needs. What is drawn, and how likely it is, stands with the thing drawn.
All of it uses a bit generator's raw words: numpy promises that those never change, and promises nothing for
`Generator.integers` and its kin. Nothing here takes a logarithm or a power, whose last bit differs between
machines.
"""

from collections.abc import Sequence
from math import ceil
from typing import Final

import numpy as np
from numpy.random import PCG64
from numpy.typing import ArrayLike, NDArray

Integers = NDArray[np.int64]

LANE_BITS: Final = 16
LANE_VALUES: Final = 1 << LANE_BITS
"""A lane is a number from 0 to this, without it. A share of 0.25 is met by lanes below a quarter of this."""

LANES_IN_A_WORD: Final = 4


def stream(seed: int, *purpose: int) -> PCG64:
    """The seed's own stream for one purpose: what one purpose draws never moves what another gets."""
    return PCG64([seed, *purpose])


def integers(bits: PCG64, count: int, below: int) -> Integers:
    return (bits.random_raw(count) % np.uint64(below)).astype(np.int64)


def lanes(bits: PCG64, number: int, count: int) -> Integers:
    """`number` independent rows of `count` lanes, cut from as few words as will do."""
    words = bits.random_raw(ceil(number * count / LANES_IN_A_WORD))
    # Little-endian whatever the machine's own order is.
    cut: NDArray[np.uint16] = words.astype("<u8").view("<u2")[: number * count]
    return cut.reshape(number, count).astype(np.int64)


def threshold(share: ArrayLike) -> Integers:
    """The lane below which a chance of `share` has come true."""
    below: Integers = np.rint(np.asarray(share, dtype=np.float64) * LANE_VALUES).astype(np.int64)
    return below


def apportion(bits: PCG64, total: int, weights: ArrayLike) -> Integers:
    """Split `total` by weight into whole numbers that add up to it, each its fair share rounded down or up.

    The fractions are rounded at one random offset for all, so that a group of tiny weights gets what it
    should get together. Rounding each to the nearest would give every one of them nothing.
    """
    upto = np.cumsum(np.asarray(weights, dtype=np.float64))
    offset = int(integers(bits, 1, LANE_VALUES)[0]) / LANE_VALUES
    edges = np.floor(upto / upto[-1] * total + offset).astype(np.int64)
    parts: Integers = np.diff(edges, prepend=0)
    return parts


def by_lane(weights: ArrayLike) -> Integers:
    """For each lane one of the weights' positions, each for as many lanes as its weight says."""
    upto = np.cumsum(np.asarray(weights, dtype=np.float64))
    counts: Integers = np.diff(threshold(upto / upto[-1]), prepend=0)
    return np.repeat(np.arange(len(counts)), counts)


def scaled(lane: Integers, size: int | Integers) -> Integers:
    """Numbers from 0 to `size`, without it, all equally likely."""
    return lane * size >> LANE_BITS


def shuffled(bits: PCG64, values: Integers) -> Integers:
    return values[np.argsort(bits.random_raw(len(values)), kind="stable")]


def deal(bits: PCG64, count: int, weights: Sequence[float]) -> Integers:
    """`count` choices among the weights' positions, in random order, each as often as its weight says."""
    return shuffled(bits, np.repeat(np.arange(len(weights)), apportion(bits, count, weights)))
