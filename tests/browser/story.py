"""`python -m tests.browser.story`: makes the shop that the browsers look at, in `SANDBOX_HOME`.

One week in March of some shoppers, played through Oscar's pages and the engine itself, so that every
page of ours has something to show. What a page needs in its address, and who is logged in with which
cookie, is left in `places.json`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import django
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.test import Client

from oscar_crosschannel.testing.sms_counterpart import post_through
from sandbox import clock

#: A Tuesday: 10:00 in Seattle, 13:00 in New York, 17:00 in York, 22:30 in Kolkata.
BEGIN = datetime(2026, 3, 10, 17, 0, tzinfo=UTC)
#: When the browsers look: Thursday, 8:30 in Seattle.
END = BEGIN + timedelta(hours=46.5)


def main() -> None:
    """An empty folder becomes a shop with a past."""
    clock.install()
    clock.set_now(BEGIN - timedelta(hours=1))
    django.setup()
    settings.ALLOWED_HOSTS = ["*"]
    # Oscar's migrations take 25 seconds and end in the same tables.
    settings.MIGRATION_MODULES = {app.label: None for app in apps.get_app_configs()}
    call_command("migrate", run_syncdb=True, verbosity=0)

    from sandbox.shop import seed  # noqa: PLC0415 - needs the models that were just set up
    from sandbox.shop.outbox import phones  # noqa: PLC0415
    from tests.browser.acts import play  # noqa: PLC0415

    seed.seed()
    with phones.run(settings.HOME / "phones.json", post=post_through(Client())):
        places = play()
    (settings.HOME / "places.json").write_text(json.dumps(places, indent=1))


if __name__ == "__main__":
    main()
