"""What the checks find, and a person who pastes their hints without thinking."""

from __future__ import annotations

import sys
from copy import deepcopy
from pathlib import Path
from types import ModuleType
from typing import Any

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, run_checks

from oscar_crosschannel import checks

HOST = "shop.example"


def found(**kwargs: Any) -> dict[str, CheckMessage]:
    """What the checks find now, by number."""
    messages = run_checks(tags=[checks.TAG], **kwargs)
    return {message.id.removeprefix("oscar_crosschannel."): message for message in messages if message.id}


def paste(finding: CheckMessage, settings: Any) -> None:
    """Write the hint of `finding` at the end of the file it names in its first line, or else of the settings."""
    hint = str(finding.hint)
    if hint.startswith(f"# in {settings.ROOT_URLCONF}"):
        paste_into_urls(finding, settings)
        return
    assert not hint.startswith(("# in ", "{#")), "this hint belongs elsewhere"
    before = {name: getattr(django_settings, name) for name in dir(django_settings) if name.isupper()}
    after = deepcopy(before)
    exec(hint, after)
    for name, value in after.items():
        if name.isupper() and (name not in before or before[name] != value):
            setattr(settings, name, value)
    for name in before.keys() - after.keys():
        delattr(settings, name)


def urlconf(urlpatterns: list[Any]) -> str:
    """The name of a module with these patterns."""
    module = ModuleType(f"urls_{id(urlpatterns)}")
    module.urlpatterns = urlpatterns  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    return module.__name__


def templates_with(folder: Path, name: str, text: str) -> list[dict[str, Any]]:
    """TEMPLATES with a template of the store's own."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    (engine,) = django_settings.TEMPLATES
    return [{**engine, "DIRS": [folder]}]


def paste_into_urls(finding: CheckMessage, settings: Any) -> None:
    """As `paste`, into a URLconf that was changed since the hint was given."""
    addresses = dict(vars(sys.modules[settings.ROOT_URLCONF]))
    exec(str(finding.hint), addresses)
    settings.ROOT_URLCONF = urlconf(addresses["urlpatterns"])
