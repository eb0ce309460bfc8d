"""Which of the 86 guarantees the app makes so far. A number added here must have a test."""


def _span(first: int, last: int) -> set[int]:
    return set(range(first, last + 1))


RULES = _span(1, 86)

BUILT = (
    {2, 3, 4, 5, 6}
    | _span(8, 10)
    | _span(16, 20)
    | {23, 29}
    | _span(31, 34)
    | {36, 37, 40}
    | _span(41, 49)
    | _span(51, 71)
    | {73, 74, 77}
    | _span(79, 83)
    | {85, 86}
)
