"""Six customers in six time zones, with what each has agreed to. Invented; numbers are for tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_crosschannel import api
from oscar_crosschannel.core.events import ConsentAnswer, Event
from oscar_crosschannel.core.facts import EMAIL, SMS, Answer
from oscar_crosschannel.services.consents import wording

PASSWORD = "unhurried"  # noqa: S105 - everybody's, and printed by `make serve`
SOURCE = "sandbox"
STAFF = ("staff", "staff@quillbrook.example", "staff-pass")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A registered customer with a saved shipping address; None: never asked."""

    first_name: str
    last_name: str
    email: str
    phone: str  #: E.164
    language: str
    zone: str
    line1: str
    city: str
    state: str
    postcode: str
    country: str  #: ISO 3166-1 alpha-2
    email_consent: Answer | None
    sms_consent: Answer | None


PEOPLE = [
    # Agreed to both: gets the email, and the text when the email brought nothing.
    Person(
        first_name="Alice",
        last_name="Moreau",
        email="alice@example.com",
        phone="+12065550123",
        language="en",
        zone="America/Los_Angeles",
        line1="418 Alder Street",
        city="Seattle",
        state="WA",
        postcode="98101",
        country="US",
        email_consent=Answer.GRANTED,
        sms_consent=Answer.GRANTED,
    ),
    # Email only, by his own choice.
    Person(
        first_name="Ben",
        last_name="Whitfield",
        email="ben@example.com",
        phone="+447400123456",
        language="en",
        zone="Europe/London",
        line1="7 Cobbler's Row",
        city="York",
        state="",
        postcode="YO1 7HH",
        country="GB",
        email_consent=Answer.GRANTED,
        sms_consent=None,
    ),
    # Ticked the box for texts, and has not answered YES yet.
    Person(
        first_name="Clara",
        last_name="Vogt",
        email="clara@example.com",
        phone="+4915112345678",
        language="de",
        zone="Europe/Berlin",
        line1="Lindenweg 12",
        city="Leipzig",
        state="",
        postcode="04109",
        country="DE",
        email_consent=Answer.GRANTED,
        sms_consent=Answer.PENDING,
    ),
    # Texts only; lives half an hour beside everybody else's clock.
    Person(
        first_name="Dev",
        last_name="Banerjee",
        email="dev@example.com",
        phone="+919876543210",
        language="en",
        zone="Asia/Kolkata",
        line1="22 Lake View Road",
        city="Kolkata",
        state="West Bengal",
        postcode="700029",
        country="IN",
        email_consent=None,
        sms_consent=Answer.GRANTED,
    ),
    # Had agreed to both, and said STOP to both.
    Person(
        first_name="Élodie",
        last_name="Garnier",
        email="elodie@example.com",
        phone="+15145550123",
        language="fr",
        zone="America/Toronto",
        line1="3055, rue des Érables",
        city="Montréal",
        state="QC",
        postcode="H2K 3V5",
        country="CA",
        email_consent=Answer.REVOKED,
        sms_consent=Answer.REVOKED,
    ),
    # Left every box empty.
    Person(
        first_name="Finn",
        last_name="Walker",
        email="finn@example.com",
        phone="+61412345678",
        language="en",
        zone="Australia/Sydney",
        line1="61 Banksia Parade",
        city="Sydney",
        state="NSW",
        postcode="2000",
        country="AU",
        email_consent=None,
        sms_consent=None,
    ),
]


def seed_people(people: Iterable[Person] = PEOPLE) -> None:
    """Accounts with one saved shipping address each. Needs the countries."""
    for person in people:
        user, is_new = get_user_model().objects.get_or_create(
            username=person.email,
            defaults={"email": person.email, "first_name": person.first_name, "last_name": person.last_name},
        )
        if is_new:
            user.set_password(PASSWORD)
            user.save()
            _save_address(user.pk, person)
            seed_consents(person, user.pk)


def seed_consents(person: Person, user_id: int) -> None:
    """What a customer has answered so far, under the words that the shop's forms show."""
    contact = api.contact_for(
        user_id=user_id,
        phone=person.phone,
        name=person.first_name,
        language=person.language,
        country=person.country,
        region=person.state,
    )
    assert contact is not None, "an account with an email has a contact"
    for channel, address, answer in (
        (EMAIL, person.email, person.email_consent),
        (SMS, person.phone, person.sms_consent),
    ):
        shown = wording(channel, person.language)
        if answer is Answer.PENDING:
            api.publish(_ticked(channel, address, shown.digest, person, user_id))
        elif answer is not None:
            api.grant(
                contact, channel, shown.topics, source=SOURCE, words=shown.words, language=person.language
            )
        if answer is Answer.REVOKED:
            api.revoke(channel, address, source=SOURCE)


def seed_staff() -> None:
    """One superuser, for the dashboard and the admin."""
    username, email, password = STAFF
    users = get_user_model().objects
    if not users.filter(username=username).exists():
        users.create_superuser(username, email, password)


def _ticked(channel: str, address: str, digest: str, person: Person, user_id: int) -> Event:
    """The box of a form, ticked: the engine takes it from here, and asks for a confirmation."""
    answer = ConsentAnswer(
        channel=channel, text=digest, language=person.language, given=True, form=SOURCE, address=address
    )
    return Event(
        name="consent.answered",
        key=f"seed:{user_id}:{channel}",
        occurred_at=timezone.now(),
        user_id=user_id,
        email=person.email,
        answers=(answer,),
    )


def _save_address(user_id: int, person: Person) -> None:
    get_model("address", "UserAddress").objects.create(
        user_id=user_id,
        first_name=person.first_name,
        last_name=person.last_name,
        line1=person.line1,
        line4=person.city,
        state=person.state,
        postcode=person.postcode,
        country_id=person.country,
        phone_number=person.phone,
        is_default_for_shipping=True,
        is_default_for_billing=True,
    )
