"""A merchant in the admin, on a Tuesday morning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from oscar_crosschannel.conf import flows
from oscar_crosschannel.services import setup
from tests.admin import ledger


@pytest.fixture(autouse=True)
def _shop(db: None, settings: Any) -> Iterator[None]:
    settings.CROSSCHANNEL_BASE_URL = "https://shop.example"
    flows.register(ledger.KettleCalls)
    setup.install()
    with time_machine.travel(ledger.NOW, tick=False):
        yield
    flows.unregister(ledger.KettleCalls.key)


@pytest.fixture
def merchant() -> Client:
    """Staff who may view the app's rows and nothing else."""
    user = get_user_model().objects.create_user("mina", "mina@shop.example", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="oscar_crosschannel", codename__startswith="view_")
    )
    return _logged_in(user)


@pytest.fixture
def superuser() -> Client:
    return _logged_in(get_user_model().objects.create_superuser("root", "root@shop.example"))


def _logged_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client
