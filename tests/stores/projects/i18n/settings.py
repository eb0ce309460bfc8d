"""A store with its language in each of Oscar's addresses."""

from tests.stores.settings import *

ROOT_URLCONF = "tests.stores.projects.i18n.urls"
