"""Which of the 86 guarantees the app makes so far. A number added here must have a test and a break."""

RULES = set(range(1, 87))

BUILT = RULES
