"""The README's section on installing, followed word for word in a new shop, which then chases a basket."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stores.story import COLUMNS

from . import guide
from .newcomer import bare_shop, built_wheel, find_uv
from .opening import surroundings


@pytest.mark.slow
@pytest.mark.sqlite
@pytest.mark.timeout(1800)
def test_the_readme_leads_from_a_bare_oscar_shop_to_a_chased_basket(tmp_path: Path) -> None:
    uv, steps = find_uv(), guide.read()
    with surroundings(tmp_path) as around:
        shop = bare_shop(tmp_path / "quillbrook", uv)

        (command,) = steps.install
        assert command == "pip install django-oscar-crosschannel"
        shop.pip(str(built_wheel(tmp_path, uv)))
        around.paste(steps, shop)
        for command in steps.prepare:
            shop.type(command)
        (engine,) = steps.run
        shop.type(f"{engine} --once")

        with around.opened(shop) as store:
            store.stock()
            findings = store.command("check", "--database", "default", "--fail-level", "WARNING")
            results = around.play(store)

    assert "no issues" in findings
    assert results == {column: [] for column in COLUMNS}
    assert "site-packages" in shop.run("-c", "import oscar_crosschannel as app; print(app.__file__)")
