"""Composition: connects the shop's signals, ports and flows to the services."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class CrosschannelConfig(AppConfig):
    """`oscar_crosschannel` in INSTALLED_APPS, before `oscar.config.Shop`."""

    name = "oscar_crosschannel"
    label = "oscar_crosschannel"
    verbose_name = _("Cross-channel marketing")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import blueprints, checks  # noqa: F401 - importing checks registers them
        from .conf import bind_shop, flows, triggers
        from .oscar import accounts, moves, receivers, security
        from .oscar.shop import OscarShop
        from .web import inbound_email, tracking_events

        bind_shop(OscarShop())
        for blueprint in blueprints.SHIPPED:
            flows.register(blueprint)
        triggers.register(*blueprints.TRIGGERS)
        # a store's own flows, and its versions of ours: `crosschannel.py` in any of its apps
        autodiscover_modules("crosschannel")
        receivers.connect()
        accounts.connect()
        moves.connect()
        security.connect()
        tracking_events.connect()
        inbound_email.connect()
        post_migrate.connect(_install, sender=self, dispatch_uid="oscar_crosschannel.install")


def _install(**kwargs: Any) -> None:
    from django.utils import timezone

    from . import tasks
    from .services import setup

    setup.install()
    tasks.install_schedule(now=timezone.now())
