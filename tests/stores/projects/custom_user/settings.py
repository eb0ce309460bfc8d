"""A store whose accounts are an email address and a password, without names."""

from tests.stores.settings import *

INSTALLED_APPS += ["tests.stores.projects.custom_user.people"]
AUTH_USER_MODEL = "people.User"
