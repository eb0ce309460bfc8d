"""One life's world: the real services and rows, a provider of our own, and time that moves by hand.

Every verb is something a person, a provider, a worker or staff does. What is said goes to the app and,
in the same breath, to the witness.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from django.contrib.auth import get_user_model
from oscar.apps.order.signals import order_placed
from oscar.core.loading import get_model

from oscar_crosschannel.conf import settings
from oscar_crosschannel.core import tokens
from oscar_crosschannel.core.events import ConsentAnswer, Event
from oscar_crosschannel.core.facts import EMAIL, SMS
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.outbound import Effect, Outbound, Refused, SenderBroken
from oscar_crosschannel.models import (
    Attempt,
    ConsentEvent,
    Contact,
    ContactPoint,
    Guard,
    InboxEvent,
    Message,
    Suppression,
)
from oscar_crosschannel.models.messages import Lane
from oscar_crosschannel.services import (
    agenda,
    consents,
    contacts,
    delivery,
    dispatch,
    doubts,
    erasing,
    guards,
    inbox,
    intake,
    judging,
    limits,
    preferences,
    replies,
    sending,
    suppressions,
)
from oscar_crosschannel.services.clock import Clock
from oscar_crosschannel.services.email_replies import Letter, take_inbound as take_letter
from oscar_crosschannel.services.handover import HandOver, hand_over
from oscar_crosschannel.services.pacing import Turns
from oscar_crosschannel.services.plans import load_plans
from oscar_crosschannel.services.recording import Result, record
from oscar_crosschannel.services.resting import Rests
from tests.factories import owe

from .cast import ANN, BEGINNINGS, EVERYBODY, LONGEST_CLOSED, Address, opening
from .flows import SALE, LivesNews
from .provider import NOT_SENT, Mood, Provider, mailer, texter
from .witness import BY_LINK, BY_TEXT, Flight, Witness, as_flight

Basket, Line = get_model("basket", "Basket"), get_model("basket", "Line")
Order, ShippingAddress = get_model("order", "Order"), get_model("order", "ShippingAddress")
User = get_user_model()

SHOP_NUMBER = "+12125550100"
BOTH_TOPICS = ("basket_reminders", "weekly_deals")
#: What a provider may say later of a message it took.
REPORTS = ("sent", "delivered", "undelivered", "failed", "queued", "nonsense")


@dataclass
class Worker:
    """A process that may stop, or die, between any two of its steps."""

    batch: judging.Batch | None = None
    judged_at: datetime | None = None
    outcome: HandOver | None = None
    chunk: list[judging.Claim] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    #: what its provider calls said of addresses; known to nobody else before it has recorded them
    learnt: list[Callable[[], None]] = field(default_factory=list)


class World:
    """Where a life takes place. `seen` counts what was reached, over all lives."""

    def __init__(self, seen: Counter[str], traveller: Any, things: Things) -> None:
        self.seen = seen
        self.traveller = traveller
        self.things = things
        self.now = BEGINNINGS[0]
        self.witness = Witness(seen)
        self.workers = (Worker(), Worker())
        self._ids = count(1)
        self._baskets: dict[str, Any] = {}
        self._users: dict[str, Any] = {}
        self._owners: dict[int, str] = {}
        self._engine = Worker()  #: who makes whole ticks
        self._caller = self._engine
        self._folded: list[tuple[str, Callable[[], None]]] = []
        self._handed: list[Flight] = []
        for provider in (mailer(), texter()):
            provider.mood, provider.hears = Mood.FINE, self._provider_hears

    def begin(self, at: datetime, *, confirm_emails: bool) -> None:
        """A new life: Ann has an account."""
        self.now = at
        self.traveller.move_to(at, tick=False)
        self.confirm_emails = confirm_emails
        self.register(ANN)
        self.tick()

    # What people do

    def register(self, who: str) -> None:
        """Make an account, or sign in."""
        if who not in self._users:
            self._users[who] = User.objects.create(username=who, email=who)
        self._publish("user.registered", who)

    def change_email(self, old: str, new: str) -> None:
        """An account turns out to be the guest of that address, too."""
        user = self._users.get(old)
        if user is None or new in self._users or user.email == new or not self._is_one(old, user.email):
            return
        user.email = new
        user.save(update_fields=["email"])
        self._users[new] = user
        self._publish("user.registered", old)

    def tick_box(self, who: str, channel: str, phone: str, *, as_guest: bool = False) -> None:
        """A consent box at a checkout. `as_guest`: whoever it is, they are not signed in."""
        shown = consents.wording(channel, "en")
        mail = self.mail_of(who)
        address = mail if channel == EMAIL else phone
        answer = ConsentAnswer(
            channel=channel, text=shown.digest, language="en", given=True, form="gateway", address=address
        )
        self._publish("consent.answered", who, as_guest=as_guest, answers=(answer,))
        speaks_for_itself = who not in self._users or not as_guest
        if channel == EMAIL:
            self._ticks_email(who, mail, shown.topics, speaks_for_itself)
        elif speaks_for_itself:
            self._when_folded(who, lambda: self._is_texted(who, phone, shown.topics))
        else:
            until = self.now + BY_LINK + LONGEST_CLOSED + BY_TEXT
            self.witness.is_asked(who, SMS, phone, shown.topics, until=until)

    def _ticks_email(self, who: str, mail: str, topics: tuple[str, ...], speaks_for_itself: bool) -> None:
        counts = speaks_for_itself and not self.confirm_emails and not self.witness.has_stopped(EMAIL, mail)
        if counts:
            self.witness.grants(who, EMAIL, mail, topics)
        # a stop that the provider told of, and that was not worked off yet, makes the app ask
        if not counts or InboxEvent.objects.filter(name="email.tracking", processed_at=None).exists():
            self.witness.is_asked(who, EMAIL, mail, topics, until=self.now + BY_LINK)

    def _is_texted(self, who: str, phone: str, topics: tuple[str, ...]) -> None:
        """A question to a number, which comes at a fair hour and can be answered from then on.

        Whether it comes at all (the number may have been asked lately) is not remembered: who was not asked
        is held by the app to have said nothing, which is stricter.
        """
        person = self.witness.person(who)
        asked_at = opening(phone, self.now, home=person.address, zone=person.zone)
        self.witness.is_asked(who, SMS, phone, topics, until=asked_at + BY_TEXT)
        person.phones.add(phone)

    def press_confirm(self, who: str, channel: str = EMAIL) -> None:
        """The button behind the link of the newest question about a channel in somebody's mailbox.

        About texts, because an account's number was typed by somebody who was not signed in.
        """
        mine = ConsentEvent.objects.filter(contact__points__address=self.mail_of(who), channel=channel)
        asked = mine.filter(action="request", point__isnull=channel == SMS).order_by("-pk").first()
        if asked is None:
            return
        consents.confirm_link(asked.pk, now=self.now)
        if asked.channel == EMAIL:
            self.witness.confirms(EMAIL, asked.address, self.now)

    def text(self, phone: str, words: str) -> None:
        """Somebody texts the shop."""
        said = _MEANT[words]
        if said == "yes":
            if words == "YES":  # the provider takes it for START
                self.witness.hears_again(SMS, phone)
            self.witness.confirms(SMS, phone, self.now)
        elif said == "stop":
            self.witness.stops(SMS, phone, silence=True)
        elif said == "join":
            self.witness.joins(phone, BOTH_TOPICS)
        elif said == "doubt":
            self.witness.is_doubtful(SMS, phone)
        elif said == "start":
            self.witness.hears_again(SMS, phone)
        replies.take_inbound(
            sid=f"SM{next(self._ids)}", phone=phone, to=SHOP_NUMBER, body=words, now=self.now
        )

    def leave(self, how: str, who: str, phone: str, topic: str) -> None:
        """One of the ways out, of a topic or (empty) of everything on a channel."""
        mail = self.mail_of(who)
        match how:
            case "one click" | "page":
                self._revoke(EMAIL, mail, topic or "weekly_deals" if how == "one click" else topic, how)
            case "page of texts":
                self._revoke(SMS, phone, topic, "page")
            case "mailto":
                flight = self._flight(EMAIL, 1)
                if flight is not None:
                    token = tokens.make(tokens.UNSUBSCRIBE, flight.message, keys=settings.link_keys())
                    self._write_back(mail, subject=f"unsubscribe {token}")
                    self.witness.stops(EMAIL, flight.address, topic=flight.topic)
            case "written back":
                flight = self._flight(EMAIL, 1)
                # who answers a message whose id the provider never told is not recognised by it
                if flight is not None and Attempt.objects.filter(provider_id=str(flight.uuid)).exists():
                    self._write_back(mail, text="Stop please", answers_to=[str(flight.uuid)])
                    self.witness.stops(EMAIL, flight.address)
            case "account":
                contact = self._contact(who)
                user = self._users.get(who)
                if contact is not None and user is not None and topic:
                    visitor = preferences.by_account(user.pk, user.email)
                    wishes = preferences.Wishes(off=[(EMAIL, topic), (SMS, topic)])
                    in_use = contact.points.filter(current=True).values_list("channel", "address")
                    for channel, address in in_use:
                        self.witness.stops(channel, address, topic=topic)
                    preferences.save(visitor, wishes, now=self.now)

    def _revoke(self, channel: str, address: str, topic: str, source: str) -> None:
        self.witness.stops(channel, address, topic=topic, silence=channel == SMS and not topic)
        consents.revoke(
            channel, address, topics=[topic] if topic else None, source=source, mechanism="link", now=self.now
        )

    def _write_back(
        self, sender: str, *, subject: str = "", text: str = "", answers_to: Sequence[str] = ()
    ) -> None:
        letter = Letter(
            key=f"letter:{next(self._ids)}", sender=sender, recipients=["hello@shop.example"], subject=subject,
            text=text, answers_to=answers_to, at=self.now,
        )  # fmt: skip
        take_letter(letter, now=self.now)

    def browse(self, who: str, phone: str) -> None:
        """Put something into a basket."""
        basket = self._baskets.get(who)
        if basket is None:
            basket = self._baskets[who] = Basket.objects.create(owner=self._users.get(who))
            self.things.fill(basket)
        else:
            Line.objects.filter(basket=basket).update(date_updated=self.now)
        self._publish(
            "basket.active", who, key=f"basket:{basket.pk}", phone=phone, subjects={"basket": basket.pk}
        )
        at = self.now

        def folded() -> None:
            person = self.witness.person(who)
            person.active_at = at
            if phone:
                person.phones.add(phone)

        self._when_folded(who, folded)

    def buy(self, who: str, *, by: str, phone: str) -> None:
        """An order: of the account, of a guest by email, or of somebody else with the same phone."""
        user = self._users.get(who) if by == "account" else None
        stranger = f"stranger{next(self._ids)}@example.com"
        email = "" if user else (stranger if by == "phone" else self.mail_of(who))
        order = Order.objects.create(
            number=str(10_000 + next(self._ids)), user=user, guest_email=email, date_placed=self.now,
            basket=self._baskets.pop(who, None) if by != "phone" else None,
            shipping_address=self.things.shipping_address(phone) if by == "phone" else None,
            currency="USD", total_incl_tax=10, total_excl_tax=10,
        )  # fmt: skip
        self.witness.buys({phone} if by == "phone" else {who}, self.now)
        order_placed.send(sender=None, order=order, user=user)
        self.send_a_parcel(who)

    def send_a_parcel(self, who: str) -> None:
        """An order of theirs is on its way, and they are told."""
        self._publish("lives.parcel", who)

    def move(self, who: str, address: Address) -> None:
        """Give a new address."""
        data = {"country": address.country, "region": address.region}
        self._publish("address.given", who, data=data)

        def folded() -> None:
            self.witness.person(who).address = address

        self._when_folded(who, folded)

    def choose(self, who: str, *, zone: str, primary: str, fewer: bool, pause: timedelta) -> None:
        """Preferences: the clock, the channel to be reached by, how much, and from when on."""
        contact, account = self._contact(who), self._account(who)
        if contact is None or not self._is_one(account, self.mail_of(who)):
            return  # a change of the address waits to be worked off: nobody can say yet who chooses
        person = self.witness.person(account)
        person.zone, person.fewer = zone, fewer
        person.paused_until = self.now + pause if pause else None
        preferences.choose(
            contact,
            now=self.now,
            zone=zone,
            primary_channel=primary,
            fewer=fewer,
            paused_until=person.paused_until,
        )
        self.seen["pauses"] += bool(pause)

    def erase(self, who: str) -> None:
        """Somebody asks to be forgotten."""
        contact = self._contact(who)
        if contact is None:
            return
        # what was heard of them and not worked off yet is forgotten, too
        who = self._account(who)
        mine = self.witness.root(who)
        self._folded = [said for said in self._folded if self.witness.root(said[0]) != mine]
        self.witness.forgets(who)
        erasing.erase(contact, cause="request", by="staff", now=self.now)

    # What the shop does

    def announce(self, event: str) -> None:
        """A flow starts for everybody the shop knows."""
        for who in EVERYBODY:
            self._publish(event, who, key=f"{event}:{next(self._ids)}")

    def campaign(self, *, sale: bool) -> None:
        """One message to everybody at once; the sale may have been told by a flow."""
        intent = SALE if sale else f"news {next(self._ids)}"
        people = Contact.objects.filter(merged_into=None).order_by("pk")
        known = set(Message.objects.filter(intent=intent).values_list("contact_id", flat=True))
        Message.objects.bulk_create(
            owe(contact, LivesNews, intent, due=self.now, lane=Lane.CAMPAIGN)
            for contact in people
            if contact.pk not in known
        )

    def suppress(self, channel: str, address: str) -> None:
        """Staff put an address on the list."""
        self.witness.stops(channel, address, silence=True)
        suppressions.suppress(
            channel,
            address,
            cause=Suppression.Cause.MANUAL,
            scope=Suppression.Scope.EVERYTHING,
            now=self.now,
        )

    def lift(self, channel: str, address: str) -> None:
        """Staff say that an address works after all."""
        lifted = suppressions.lift_by_staff(
            channel, contacts.digest(channel, address), note="It works.", now=self.now
        )
        if lifted:
            self.seen["lifted"] += 1
            self.witness.works_again(channel, address)

    def read_doubts(self) -> None:
        """Staff read what may have meant stop, and find that it did not."""
        for waiting in Suppression.objects.filter(cause=Suppression.Cause.REVIEW, lifted_at=None):
            if waiting.reply_id and doubts.was_no_stop(waiting.reply_id, by="staff", note="", now=self.now):
                self.witness.were_read()

    def end_guards(self) -> None:
        """Staff let marketing go on."""
        for guard in Guard.objects.filter(ended_at=None):
            guards.end(guard, by="staff", note="", now=self.now)
            self.seen["guards ended"] += 1

    # What providers do

    def upset(self, channel: str, mood: Mood) -> None:
        """The next call of a channel ends otherwise."""
        _provider(channel).mood = mood
        self.seen[f"mood {mood}"] += 1

    def report(self, status: str, *, newest: int, code: str = "", twice: bool = False) -> None:
        """A callback about a text, perhaps late, doubled, or about something long over."""
        flight = self._flight(SMS, newest)
        if flight is None:
            return
        data = {"uuid": str(flight.uuid), "sid": str(flight.uuid), "status": status, "code": code}
        told = Event(name="sms.status", key=f"{flight.uuid}:{status}", occurred_at=self.now, data=data)
        if not inbox.record(told, now=self.now):
            return  # the provider said so before
        if twice:
            inbox.record(told, now=self.now)
        if status in ("undelivered", "failed"):
            self._when_folded(flight.who, lambda: self._ends(flight, arrived=False, code=code))
        elif status == "delivered":
            self._when_folded(flight.who, lambda: self._ends(flight, arrived=True))
        self.seen["callbacks"] += 1

    def complain(self, kind: str, *, newest: int) -> None:
        """The provider of email tells of a bounce, of a complaint, or of somebody who left."""
        flight = self._flight(EMAIL, newest)
        if flight is None:
            return
        data = {
            "esp": "lives", "event_type": kind, "uuid": str(flight.uuid), "message_id": str(flight.uuid),
            "recipient": flight.address, "reject_reason": "", "hard": kind == "bounced", "description": "",
        }  # fmt: skip
        event = Event(name="email.tracking", key=f"{flight.uuid}:{kind}", occurred_at=self.now, data=data)
        if inbox.record(event, now=self.now):
            self._when_folded(flight.who, lambda: self._complained(kind, flight))
            self.seen[kind] += 1

    # What workers do

    def pass_time(self, span: timedelta) -> None:
        """Nobody does anything, not even the engine."""
        self.now += span
        self.traveller.move_to(self.now, tick=False)

    def wait(self, span: timedelta, *, stops: int = 3) -> None:
        """Time goes by, with a tick whenever something falls due, a few times."""
        end = self.now + span
        for _ in range(stops):
            due = self._next_due()
            if due is None or due > end:
                break
            self.pass_time(due - self.now)
            self.tick()
        if self.now < end:
            self.pass_time(end - self.now)
            self.tick()

    def tick(self) -> None:
        """A whole tick of one worker."""
        self._is_folded()
        self._handed.clear()
        report = dispatch.tick(self.now)
        self._draw_consequences(self._engine)
        self._is_given_back()
        if report.failed:
            self.witness.broken.append(f"{self.now}: a tick failed in {report.failed}")
        self.seen["ticks"] += 1

    def go_on(self, worker: Worker) -> None:
        """The next step of a worker."""
        if worker.batch is None:
            self.judge(worker)
        elif worker.outcome is None:
            self.hand_over(worker)
        elif not worker.results:
            self.call(worker)
        else:
            self.record(worker)

    def judge(self, worker: Worker) -> None:
        """It folds, decides and claims, in the highest lane; if nothing is due, when something falls due."""
        plans = load_plans()
        self._is_folded()
        intake.fold(plans, clock=Clock(self.now), pause=nullcontext)
        lanes = agenda.due_lanes(self.now)
        if not lanes and (due := self._next_due()) is not None and due < self.now + timedelta(hours=30):
            self.pass_time(due - self.now)
            lanes = agenda.due_lanes(self.now)
        if not lanes:
            return
        lane = lanes[0]
        closed = Rests.load().closed(self.now)
        batch = judging.judge(lane, plans, limits.load(), now=self.now, closed=closed)
        if batch.claims:
            worker.batch, worker.judged_at = batch, self.now
            self.seen["claims of workers"] += 1

    def hand_over(self, worker: Worker) -> None:
        """It hands over what it still holds, on the channel of its first claim; the rest is left to the reaper."""
        assert worker.batch is not None
        channel = worker.batch.claims[0].channel
        worker.chunk = [claim for claim in worker.batch.claims if claim.channel == channel]
        self._handed.clear()  # what another worker has in its hands may still be called for
        worker.outcome = self.watch(worker.chunk, worker.batch.token, now=self.now)

    def call(self, worker: Worker) -> None:
        """It calls the provider, if its time is not over."""
        assert worker.outcome is not None
        assert worker.judged_at is not None
        deadline = worker.judged_at + settings.LEASE * dispatch.DEADLINE
        refused = worker.outcome.refused
        self._caller = worker
        worker.results = [
            *(Result(claim, None, refused[claim.message.pk]) for claim in worker.chunk if claim.message.pk in refused),
            *sending.send(worker.outcome.handed, clock=Clock(self.now), deadline=deadline, turns=Turns()),
        ]  # fmt: skip
        self._caller = self._engine
        self._settle(worker.results)
        if not worker.results:  # nothing was left to hand over
            self._forget(worker)

    def record(self, worker: Worker) -> None:
        """It writes down what became of it, however late."""
        assert worker.batch is not None
        called = [flight.called_at for flight in self._flights_of(worker) if flight.called_at]
        # its calls took a moment, on the clock that it began with
        record(worker.results, worker.batch.token, now=max([self.now, *called]))
        for result in worker.results:
            match result.outcome:
                case SenderBroken() as broken:
                    Rests.load().rest(result.claim.channel, broken, now=self.now)
                case Refused(effect=effect) as refusal if effect is not Effect.NONE:
                    delivery.apply_effect(
                        effect, result.claim.channel, result.claim.address, now=self.now, code=refusal.code
                    )
        self._draw_consequences(worker)
        self._forget(worker)
        self.seen["records of workers"] += 1

    def die(self, worker: Worker) -> None:
        """Killed. What it has done stays done."""
        self._abandon(worker)

    # Behind the scenes

    def watch(self, claims: Sequence[judging.Claim], token: Any, *, now: datetime) -> HandOver:
        """The hand-over itself, and the witness looks on."""
        self._draw_consequences(self._engine)
        self._is_given_back()
        outcome = hand_over(claims, token, now=now)
        for item in outcome.handed:
            flight = as_flight(item.claim, item.attempt, self._who(item.claim), now)
            self.witness.hand_over(flight)
            self._handed.append(flight)
        return outcome

    def _is_given_back(self) -> None:
        """A tick calls for one chunk before it hands over the next: what it did not call for, it never will."""
        for flight in self._handed:
            if flight.called_at is None:
                flight.heard = False

    def _provider_hears(self, outbound: Outbound, mood: Mood) -> None:
        self.witness.called(outbound.uuid, outbound.recipient.address, outbound.now)
        flight = self.witness.flights[outbound.uuid]
        if mood in NOT_SENT:
            flight.heard = False
        elif mood is Mood.FINE:
            flight.heard = True
        self.seen["in doubt"] += flight.heard is None
        if mood is Mood.OPTED_OUT:
            self._caller.learnt.append(
                lambda: self.witness.stops(flight.channel, flight.address, silence=flight.channel == SMS)
            )
        elif mood is Mood.UNUSABLE:
            self._caller.learnt.append(lambda: self.witness.is_unusable(flight.channel, flight.address))
        self.seen[f"{flight.channel} {'heard' if flight.counts else 'not sent'}"] += 1

    def _draw_consequences(self, worker: Worker) -> None:
        """What a worker's calls said of addresses counts before it hands over anything else."""
        for said in worker.learnt:
            said()
        worker.learnt.clear()

    def _settle(self, results: Sequence[Result]) -> None:
        """What was handed over and not called was certainly not sent."""
        for result in results:
            if result.attempt and self.witness.flights[result.attempt].called_at is None:
                self.witness.flights[result.attempt].heard = False

    def _abandon(self, worker: Worker) -> None:
        if worker.outcome is not None:
            for flight in self._flights_of(worker):
                flight.died = True
            self.seen["dead workers"] += 1
        self._forget(worker)

    def _flights_of(self, worker: Worker) -> list[Flight]:
        handed = worker.outcome.handed if worker.outcome is not None else []
        return [self.witness.flights[item.attempt] for item in handed]

    def _forget(self, worker: Worker) -> None:
        worker.batch, worker.outcome, worker.results, worker.judged_at = None, None, [], None
        worker.learnt.clear()

    def _ends(self, flight: Flight, *, arrived: bool, code: str = "") -> None:
        """The first end that is told counts; what comes later contradicts it."""
        if flight.ended:
            return
        flight.ended = True
        if arrived:
            return
        flight.excuse = flight.purpose != "marketing"
        if code == "21610":
            self.witness.stops(SMS, flight.address, silence=True)
        elif code == "30006":
            self.witness.is_unusable(SMS, flight.address)

    def _complained(self, kind: str, flight: Flight) -> None:
        if kind == "bounced":
            flight.excuse = flight.purpose != "marketing"
            self.witness.is_unusable(EMAIL, flight.address)
        else:
            self.witness.stops(EMAIL, flight.address)

    def _publish(self, name: str, who: str, *, key: str = "", as_guest: bool = False, **details: Any) -> None:
        user = None if as_guest else self._users.get(who)
        inbox.publish(
            Event(
                name=name,
                key=key or f"{name}:{next(self._ids)}",
                occurred_at=self.now,
                user_id=user.pk if user else None,
                email="" if user else who,
                **details,
            ),
            now=self.now,
        )
        if user and user.email != who:  # whoever it was that this address belonged to
            self._when_folded(who, lambda: self.witness.one_person(who, user.email))

    def _is_folded(self) -> None:
        """What waited in the inbox is worked off now."""
        for _, said in self._folded:
            said()
        self._folded.clear()

    def _when_folded(self, who: str, said: Callable[[], None]) -> None:
        self._folded.append((who, said))

    def _account(self, who: str) -> str:
        """Somebody as the account knows them, though the change of its address may not be worked off yet."""
        return next((name for name, user in self._users.items() if user is self._users.get(who)), who)

    def _is_one(self, who: str, other: str) -> bool:
        return self.witness.root(who) == self.witness.root(other)

    def mail_of(self, who: str) -> str:
        """The address somebody is written to: an account may have changed it."""
        return self._users[who].email if who in self._users else who

    def _contact(self, who: str) -> Contact | None:
        if who in self._users and (own := Contact.objects.filter(user=self._users[who], merged_into=None)):
            return own[0]  # the address may be another guest's until the account's change is worked off
        found = contacts.find_by_address(EMAIL, self.mail_of(who))
        return found[0] if found else None

    def _who(self, claim: judging.Claim) -> str:
        pk = claim.message.contact_id
        if pk not in self._owners:
            points = ContactPoint.objects.filter(contact_id=pk).order_by("channel", "pk")
            self._owners[pk] = points.values_list("address", flat=True)[0]
        return self._owners[pk]

    def _flight(self, channel: str, newest: int) -> Flight | None:
        called = [
            flight
            for flight in self.witness.flights.values()
            if flight.called_at and flight.channel == channel
        ]
        return called[-newest] if len(called) >= newest else None

    def _next_due(self) -> datetime | None:
        planned = Message.objects.filter(state=State.PLANNED, due_at__gt=self.now).order_by("due_at")
        waiting = InboxEvent.objects.filter(processed_at=None, not_before__gt=self.now).order_by("not_before")
        moments = [
            planned.values_list("due_at", flat=True).first(),
            waiting.values_list("not_before", flat=True).first(),
        ]
        return min((moment for moment in moments if moment), default=None)


class Things:
    """What the shop sells, made once for all lives."""

    def __init__(self, product: Any, country: Any) -> None:
        self.product, self.country = product, country

    def fill(self, basket: Any) -> None:
        stock = self.product.stockrecords.all()[0]
        Line.objects.create(
            basket=basket,
            product=self.product,
            stockrecord=stock,
            line_reference=f"{self.product.pk}_{stock.pk}",
            price_currency="USD",
            price_excl_tax=10,
            price_incl_tax=10,
        )

    def shipping_address(self, phone: str) -> Any:
        return ShippingAddress.objects.create(
            country=self.country, phone_number=phone, line1="1 Alder Street"
        )


def _provider(channel: str) -> Provider:
    return mailer() if channel == EMAIL else texter()


#: What people text, and what the law takes it for.
_MEANT = {
    "STOP": "stop",
    " stop. ": "stop",
    "Ｓｔｏｐ": "stop",
    "opt-out": "stop",
    "STOPALL": "stop",
    "Arrêt": "stop",
    "stop texting me": "stop",
    "please don't text me again": "doubt",
    "I will call my lawyer if this does not stop": "doubt",
    "JOIN": "join",
    "YES": "yes",
    "yes please": "yes",
    "START": "start",
    "unstop": "start",
    "HELP": "nothing",
    "when does the sale end?": "nothing",
    "cancel my order": "nothing",
    "don't stop": "nothing",
}
#: Some come more often, or lives would be quiet.
WORDS = (
    *_MEANT,
    *[word for word, meaning in _MEANT.items() if meaning in ("yes", "join", "start", "doubt")] * 2,
)
#: Ways out; STOP by text is among `WORDS`.
LEAVING = ("one click", "page", "page of texts", "mailto", "written back", "account")
