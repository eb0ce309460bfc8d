"""A store's own templates: which of them show the consent boxes, and what else we add to Oscar's pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import oscar
import pytest
from django.core.checks import run_checks

from oscar_crosschannel import checks
from oscar_crosschannel.checks.boxes import ADDED, PAGES

from .pasting import found, paste, templates_with

PREVIEW = "oscar/checkout/preview.html"
LOAD = "{% load crosschannel_tags %}"
TAG = '{% crosschannel_consent form="place_order_form" %}'


def oscars(page: str) -> str:
    return (Path(oscar.__file__).parent / "templates" / page).read_text()


@pytest.mark.parametrize("page", PAGES)
def test_a_full_copy_of_oscars_page_loses_the_boxes_and_the_pasted_line_brings_them_back(
    page: str, settings: Any, tmp_path: Path
) -> None:
    copy = oscars(page)
    settings.TEMPLATES = templates_with(tmp_path, page, copy)
    assert list(found()) == ["W027"]
    assert str(tmp_path / page) in found()["W027"].msg

    note, _, cure = str(found()["W027"].hint).partition("\n")
    assert page in note
    settings.TEMPLATES = templates_with(tmp_path, page, copy.replace("</form>", f"{cure}</form>"))
    assert found() == {}


@pytest.mark.parametrize(
    ("page", "mark"),
    [
        ("oscar/customer/baseaccountpage.html", "{% block standard_tabs %}"),
        ("oscar/checkout/thank_you.html", "{% block shipping_info %}"),
    ],
)
def test_a_full_copy_of_a_page_loses_what_we_add_and_the_pasted_line_brings_it_back(
    page: str, mark: str, settings: Any, tmp_path: Path
) -> None:
    copy = oscars(page)
    settings.TEMPLATES = templates_with(tmp_path, page, copy)
    assert list(found()) == ["W081"]
    assert str(tmp_path / page) in found()["W081"].msg

    note, _, cure = str(found()["W081"].hint).partition("\n")
    assert page in note
    assert mark in copy
    settings.TEMPLATES = templates_with(tmp_path, page, copy.replace(mark, f"{mark}{cure}"))
    assert found() == {}


def test_another_tag_of_ours_does_not_do(settings: Any, tmp_path: Path) -> None:
    (page, (_, where, _)), *_ = ADDED.items()
    copy = oscars(page).replace("</ul>", f"{LOAD}{{% crosschannel_sign_up %}}</ul>")
    settings.TEMPLATES = templates_with(tmp_path, page, copy)

    assert list(found()) == ["W081"]
    assert where in str(found()["W081"].hint)


@pytest.mark.parametrize("page", ADDED)
def test_a_page_that_extends_oscars_keeps_what_we_add(page: str, settings: Any, tmp_path: Path) -> None:
    text = f'{{% extends "{page}" %}}{{% block title %}}Mine{{% endblock %}}'
    settings.TEMPLATES = templates_with(tmp_path, page, text)

    assert found() == {}


def test_every_page_that_hides_them_is_named(settings: Any, tmp_path: Path) -> None:
    for page in PAGES:
        settings.TEMPLATES = templates_with(tmp_path, page, oscars(page))

    assert len(run_checks(tags=[checks.TAG])) == len(PAGES)


@pytest.mark.parametrize(
    "template",
    [
        '{% extends "oscar/checkout/preview.html" %}',
        '{% extends "oscar/checkout/preview.html" %}{% block place_order %}<b>!</b>{{ block.super }}{% endblock %}',
        '{% extends "oscar/checkout/preview.html" %}{% block title %}Yes{% endblock %}',
        '{% extends "oscar/layout.html" %}{% block content %}{% if form %}'
        + LOAD
        + TAG
        + "{% endif %}{% endblock %}",
        '{% extends "oscar/layout.html" %}{% block content %}{% include "ours.html" %}{% endblock %}',
        '{% extends "oscar/layout.html" %}{% block content %}{% for a in b %}{% empty %}'
        + LOAD
        + TAG
        + "{% endfor %}{% endblock %}",
        LOAD + TAG,
        "{% extends theme %}",
        "{% include partial %}",
        "{% broken %}",
    ],
)
def test_a_template_that_keeps_the_boxes_or_may_is_no_fault(
    template: str, settings: Any, tmp_path: Path
) -> None:
    templates_with(tmp_path, "ours.html", '{% include "ours.html" %}{% include "deeper.html" %}')
    templates_with(tmp_path, "deeper.html", LOAD + TAG)
    settings.TEMPLATES = templates_with(tmp_path, PREVIEW, template)

    assert found() == {}


@pytest.mark.parametrize(
    "template",
    [
        '{% extends "oscar/checkout/preview.html" %}{% block place_order %}<b>!</b>{% endblock %}',
        '{% extends "oscar/checkout/preview.html" %}{% block content %}<b>!</b>{% endblock %}',
        '{% extends "oscar/layout.html" %}{% block nowhere %}' + LOAD + TAG + "{% endblock %}",
        '{% extends "oscar/layout.html" %}' + LOAD + TAG,
        '{% extends "oscar/layout.html" %}{% block content %}{% include "empty.html" %}{% endblock %}',
    ],
)
def test_a_template_that_hides_them_is_named(template: str, settings: Any, tmp_path: Path) -> None:
    templates_with(tmp_path, "empty.html", '{% include "empty.html" %}')
    settings.TEMPLATES = templates_with(tmp_path, PREVIEW, template)

    assert list(found()) == ["W027"]


def test_a_store_that_took_it_upon_itself_is_left_alone(settings: Any, tmp_path: Path) -> None:
    settings.CROSSCHANNEL_TEMPLATE_INJECTION = False
    for page in (PREVIEW, *ADDED):
        settings.TEMPLATES = templates_with(tmp_path, page, oscars(page))

    assert found() == {}


def test_templates_that_do_not_know_the_request_show_no_box(settings: Any) -> None:
    (engine,) = settings.TEMPLATES
    processors = [name for name in engine["OPTIONS"]["context_processors"] if not name.endswith(".request")]
    jinja = {"BACKEND": "django.template.backends.dummy.TemplateStrings", "NAME": "other"}
    settings.TEMPLATES = [jinja, {**engine, "OPTIONS": {"context_processors": processors}}]
    assert list(found()) == ["W026"]

    paste(found()["W026"], settings)
    assert found() == {}
