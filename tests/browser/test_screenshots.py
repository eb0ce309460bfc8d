"""The pictures of the README are those that `make screenshots` makes, and all of them are shown."""

from __future__ import annotations

import re

from PIL import Image

from tests.browser.screenshots import FOLDER, MOST_BYTES, PICTURES
from tests.browser.servers import ROOT

NAMES = {f"{picture.name}.png" for picture in PICTURES}


def test_the_folder_holds_the_pictures_that_the_command_makes() -> None:
    assert {path.name for path in FOLDER.iterdir()} == NAMES
    assert len(NAMES) == len(PICTURES)


def test_the_readme_shows_every_picture_and_says_what_is_on_it() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r'<img src="docs/screenshots/([^"]+)"[^>]* alt="([^"]*)"', readme))
    shown |= {name: words for words, name in re.findall(r"!\[([^\]]*)\]\(docs/screenshots/([^)]+)\)", readme)}
    assert set(shown) == NAMES
    assert all(len(words) > 20 for words in shown.values()), "an alternative text tells what there is to see"


def test_no_picture_keeps_a_reader_waiting() -> None:
    for path in FOLDER.iterdir():
        assert path.stat().st_size < MOST_BYTES, path.name
        with Image.open(path) as picture:
            assert picture.width <= 1280, path.name
