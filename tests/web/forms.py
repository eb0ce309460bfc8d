"""What a browser would post."""

from __future__ import annotations

from typing import Any

from bs4 import BeautifulSoup, Tag

Fields = dict[str, list[str]]


def parsed(response: Any) -> BeautifulSoup:
    return BeautifulSoup(response.content, "html.parser")


def fields(form: Tag | None) -> Fields:
    """The form as it stands on the page, without its buttons."""
    assert form is not None
    found: Fields = {}
    for control in form.select("input[name], select[name]"):
        name = str(control["name"])
        if control.name == "select":
            chosen = control.select("option[selected]") or control.select("option")[:1]
            found.setdefault(name, []).append(str(chosen[0]["value"]))
        elif control.get("type") not in ("checkbox", "radio"):
            found.setdefault(name, []).append(str(control.get("value", "")))
        elif control.has_attr("checked"):
            found.setdefault(name, []).append(str(control.get("value", "on")))
    return found


def changed(form: Tag | None, **changes: str | None) -> Fields:
    """The same with some controls changed; None unticks a box. A name is written with "_" for "-"."""
    found = fields(form)
    names = {str(control["name"]) for control in form.select("[name]")} if form is not None else set()
    for given, value in changes.items():
        name = next((each for each in names if each == given or each.replace("-", "_") == given), "")
        assert name, f"the form has no {given}"
        found.pop(name, None)
        if value is not None:
            found[name] = [value]
    return found
