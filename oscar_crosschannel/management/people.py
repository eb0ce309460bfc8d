"""How a command is told whom it is about."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ..models import Contact
from ..services import contacts, persons


def add_arguments(parser: ArgumentParser) -> None:
    """An address, or the number of a contact."""
    parser.add_argument(
        "address", nargs="?", default="", help="an email address, or a number as +12125550123"
    )
    parser.add_argument(
        "--contact", type=int, metavar="ID", help="number of the contact, as the admin shows it"
    )


def chosen(options: dict[str, Any]) -> Contact | None:
    """The contact that is meant; None when nobody uses the address (any more)."""
    if options["contact"] is not None:
        contact = Contact.objects.filter(pk=options["contact"]).first()
        if contact is None:
            raise CommandError(f"There is no contact {options['contact']}.")
        return contact
    if not options["address"]:
        raise CommandError("Say whom: an address, or --contact ID.")
    users = contacts.find_by_address(*persons.named(options["address"]))
    if len(users) > 1:
        ids = ", ".join(str(user.pk) for user in users)
        raise CommandError(f"{len(users)} contacts use this address: {ids}. Name one of them with --contact.")
    return users[0] if users else None
