"""System checks: what would go wrong later, said before it does.

Importing the package registers them; `AppConfig.ready` does. All carry the tag `oscar_crosschannel`,
so that the admin can show what is wrong to people who never see a terminal. Numbers of ids are never
used twice; E and W with one number are the same finding, milder with DEBUG.

A hint is Python for the end of the settings, made for the project at hand; one that belongs elsewhere
(the URLconf, a template, a shell) says so in its first line, a comment. Pasted as it is, it silences
its check.

May read settings and rows and ask `oscar` about the shop; changes nothing, and asks the database only
when `check --database` or `migrate` names it. Nothing but `apps` imports it.
"""

from . import (
    boxes,
    codes,
    database,
    engine,
    installation,
    join_words,
    keys,
    mail,
    places,
    privacy,
    sender,
    shipping,
    spelling,
    stock,
    texting,
)
from .findings import TAG

__all__ = [
    "TAG",
    "boxes",
    "codes",
    "database",
    "engine",
    "installation",
    "join_words",
    "keys",
    "mail",
    "places",
    "privacy",
    "sender",
    "shipping",
    "spelling",
    "stock",
    "texting",
]
