"""`python -m tests.stores`: the story in every kind of store, and the matrix. Exit code 0 if all is well.

Names, or parts of them, choose stores: `python -m tests.stores forked api`. With a server beside it
(`python tests/postgres.py python -m tests.stores`) there is a store on PostgreSQL, too.
"""

from __future__ import annotations

import os
import sys
import time

from .databases import own_database
from .kinds import KINDS, ON_POSTGRESQL
from .matrix import judge
from .table import Results, table


def main(chosen: list[str]) -> int:
    kinds = [*KINDS, *([ON_POSTGRESQL] if os.environ.get("SANDBOX_DATABASE_URL") else [])]
    rows: dict[str, Results] = {}
    for kind in kinds:
        if chosen and not any(part in kind.name for part in chosen):
            continue
        started = time.monotonic()
        if kind is ON_POSTGRESQL:
            with own_database(os.environ["SANDBOX_DATABASE_URL"]) as url:
                rows[kind.name] = judge(kind, SANDBOX_DATABASE_URL=url)
        else:
            rows[kind.name] = judge(kind)
        print(f"{time.monotonic() - started:5.1f} s  {kind.name}", flush=True)
    print(*table(rows), sep="\n")
    return int(any(problems for results in rows.values() for problems in results.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
