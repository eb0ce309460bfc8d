"""A store whose templates extend Oscar's and ours, and say something of their own."""

from tests.stores.settings import *

TEMPLATES[0]["DIRS"] = [Path(__file__).parent / "templates"]
