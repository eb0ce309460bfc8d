"""A store whose templates are full copies of Oscar's, with the tag put in by hand."""

from tests.stores.settings import *

TEMPLATES[0]["DIRS"] = [HOME / "templates"]
