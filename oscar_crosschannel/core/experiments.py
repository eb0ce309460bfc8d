"""Who is in which arm of a split, without a row per person."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping


def assign(seed: str, unit: str, weights: Mapping[str, float]) -> str:
    """The arm of `unit` in the split `seed`: always the same one, in proportion to `weights`.

    `weights` are not negative and need not sum to one; their order does not matter. Another seed
    deals anew, so that the same people are not held out of every flow. ValueError: nothing to choose.
    """
    arms = sorted(arm for arm, weight in weights.items() if weight > 0)
    if not arms or any(weight < 0 for weight in weights.values()):
        raise ValueError("A split needs weights that are not negative, and one above zero.")
    digest = hashlib.blake2b(f"{len(seed)}:{seed}{unit}".encode(), digest_size=8).digest()
    point = int.from_bytes(digest, "big") / 2**64 * sum(weights[arm] for arm in arms)
    for arm in arms[:-1]:
        point -= weights[arm]
        if point < 0:
            return arm
    return arms[-1]
