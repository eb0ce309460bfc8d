"""500 random lives of 50 steps, others each time: `python -m tests.lives [--lives 500] [--steps 50] [--seed 7]`.

With `--seed` the same again. Runs on as many cores as there are. What a run of that size went through without
a fault is kept in lived.json, which the guarantee card shows.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
from pathlib import Path

from .record import LIVED

#: What is worth telling.
LIVES, STEPS = 500, 50
#: Lives of one part: small enough to share the work evenly.
IN_EACH = 50


def main() -> int:
    parser = argparse.ArgumentParser(description="Random lives against the real services.")
    parser.add_argument("--lives", type=int, default=LIVES)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    size = {"PARTS": -(-asked.lives // IN_EACH), "IN_EACH": IN_EACH, "STEPS": asked.steps, "SEED": asked.seed}
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(os.cpu_count() or 1), "-p", "no:cacheprovider"]
    environment = os.environ | {f"LIVES_{name}": str(value) for name, value in size.items()}
    if asked.lives >= LIVES and asked.steps >= STEPS:
        environment["LIVES_RECORD"] = str(LIVED)
    run = subprocess.run([*command, str(Path(__file__).parent)], env=environment, check=False)
    return run.returncode


if __name__ == "__main__":
    sys.exit(main())
