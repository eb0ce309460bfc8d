"""From no database to a stocked shop.

Oscar's migrations take 25 seconds on an empty database and always end in the same tables. So the
migrated database, still without a row of the shop, is kept beside the sandbox's data; the next demo
starts from a copy if no migration has changed since.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from inspect import getfile
from io import StringIO
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from oscar.core.loading import get_model

from oscar_crosschannel.services.plans import ensure_flows
from sandbox.shop import seed

from .cast import CUSTOMERS
from .plot.tasting import EVENING, TITLE

#: Says how far a long step has come: done, of how many.
Progress = Callable[[int, int], None]

_KEPT = Path(settings.BASE_DIR) / "sandbox" / "var"


def migrate(progress: Progress) -> None:
    """All tables, and the rows that migrations bring."""
    kept = _KEPT / f"migrated-{_fingerprint()}.sqlite3"
    if kept.exists():
        shutil.copyfile(kept, connection.settings_dict["NAME"])
    call_command("migrate", verbosity=1, stdout=_Counter(progress))
    if not kept.exists():
        _keep(kept)


def stock() -> None:
    """The catalogue, its pictures, the offers, the customers, and the flows as they ship: all on."""
    seed.seed(CUSTOMERS)
    _offer_seats()
    ensure_flows()


def _offer_seats() -> None:
    """Products that are no parcels."""
    of_events = get_model("catalogue", "ProductClass").objects.create(
        name="Event", requires_shipping=False, track_stock=False
    )
    partner = get_model("partner", "Partner").objects.get()
    for sku, title in (("QB-701", TITLE), ("QB-702", EVENING)):
        product = get_model("catalogue", "Product").objects.create(
            upc=sku, title=title, product_class=of_events, description="<p>With Mara, by video.</p>"
        )
        product.stockrecords.create(partner=partner, partner_sku=sku, price="12.00")


class _Counter(StringIO):
    """Takes what `migrate` prints, and counts the migrations in it."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        executor = MigrationExecutor(connection)
        self._total = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
        self._done = 0
        self._progress = progress

    def write(self, words: str) -> int:
        if words.startswith("  Applying "):
            self._done += 1
            self._progress(self._done, self._total)
        return len(words)


def _fingerprint() -> str:
    """Changes with the text of any migration of any app."""
    digest = sha256()
    for (app, name), migration in sorted(MigrationLoader(None).disk_migrations.items()):
        digest.update(f"{app}/{name}".encode() + Path(getfile(type(migration))).read_bytes())
    return digest.hexdigest()[:16]


def _keep(kept: Path) -> None:
    """Store a copy, whole or not at all: another demo may run beside this one."""
    _KEPT.mkdir(exist_ok=True)
    draft = kept.with_suffix(f".{os.getpid()}")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(draft)])
    for old in _KEPT.glob("migrated-*.sqlite3"):
        old.unlink(missing_ok=True)
    draft.replace(kept)
