"""Every page of ours that a person can see: how to get there, and who looks.

The tests look at all of them, the screenshots at some. A page that is missing here fails
`test_every_address_of_ours_is_a_page_here_or_no_page_at_all`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from playwright.sync_api import Page as Tab

#: Everything on the page is ours.
ALL = "html"
CONSENT = ".crosschannel-consent"
#: Inside Django's admin all but its head, navigation and breadcrumbs.
CONTENT = "#content"


def press(button: str) -> Callable[[Tab], None]:
    """Arrive by pressing a button on the page that was opened."""

    def arrive(tab: Tab) -> None:
        with tab.expect_navigation():
            tab.get_by_role("button", name=button, exact=True).click()

    return arrive


def save_nonsense(tab: Tab) -> None:
    """Arrive where the form says what is wrong with it."""
    tab.get_by_label("Another mobile number").fill("call me")
    press("Save")(tab)


def sign_up_without_address(tab: Tab) -> None:
    """Arrive where the form says what it lacks."""
    tab.locator("[name=cc_email]").check()
    press("Sign up")(tab)


def sign_up(tab: Tab) -> None:
    """Arrive where one is told to look at one's phone."""
    tab.locator("[name=cc_sms]").check()
    tab.get_by_label("Mobile number for texts").fill("+61 412 345 679")
    press("Sign up")(tab)


def change_a_time(tab: Tab) -> None:
    """Arrive where one is asked whether one means it: somebody is inside."""
    tab.locator("[name=code-delay_number]").fill("30")
    press("Save")(tab)


def say_nothing_of_a_step(tab: Tab) -> None:
    """Arrive where the form of a new step says what it lacks."""
    tab.get_by_text("Waiting, conditions and codes").click()
    press("Add this step")(tab)


def give_no_number(tab: Tab) -> None:
    """Arrive where the box says that this cannot be texted."""
    tab.get_by_label("mobile number").fill("call me")
    press("Text this number")(tab)


def give_another_number(tab: Tab) -> None:
    """Arrive where the number is read back."""
    tab.get_by_label("mobile number").fill("+1 212 555 0147")
    press("Text this number")(tab)


def look_up_a_stop(tab: Tab) -> None:
    """Arrive where staff are asked whether they are sure."""
    tab.get_by_label("Address").fill("+61412345697")
    tab.get_by_label("Why").fill("They asked us to.")
    press("Look what is kept")(tab)


Who = Literal["stranger", "gateway", "preview", "buyer", "customer", "merchant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page."""

    name: str
    path: str  #: with names of `places.json` in braces
    views: Sequence[str] = ()  #: names of our addresses that it shows
    who: Who = "stranger"
    template: str = ""  #: of Oscar, which ours extends
    arrive: Callable[[Tab], None] | None = None
    ours: str = ALL  #: CSS selector of our elements
    stock: str = ""  #: a page of the same kind in which nothing is ours; "": there is none
    status: int = 200
    dark: bool = False
    excused: frozenset[str] = frozenset()  #: rules of axe that are not for pages of this kind


def _oscars(name: str, path: str, template: str, *, who: Who = "stranger") -> Page:
    return Page(name=name, path=path, template=f"oscar/{template}", who=who, ours=CONSENT, stock=path)


STOREFRONT = (
    _oscars("registration", "/accounts/register/", "customer/registration.html"),
    _oscars("login", "/accounts/login/", "customer/login_registration.html"),
    _oscars("gateway", "/checkout/", "checkout/gateway.html", who="gateway"),
    _oscars("preview", "/checkout/preview/", "checkout/preview.html", who="preview"),
    _oscars("thank-you", "/checkout/thank-you/", "checkout/thank_you.html", who="buyer"),
    Page(
        name="account",
        path="/accounts/profile/",
        template="oscar/customer/baseaccountpage.html",
        who="customer",
        ours="li:has(> a[href='/cc/preferences/'])",
        stock="/accounts/profile/",
    ),
)

BEHIND_LINKS = (
    Page(name="recovery", path="{recover}", views=["oscar_crosschannel:recover"]),
    Page(name="recovery-dark", path="{recover}", dark=True),
    Page(name="recovery-gone", path="{recover_gone}", status=410),
    Page(name="unsubscribe", path="{unsubscribe}", views=["oscar_crosschannel:unsubscribe"]),
    Page(name="unsubscribe-text", path="{unsubscribe_text}"),
    Page(name="unsubscribed", path="{unsubscribe_una}", arrive=press("Unsubscribe")),
    Page(name="confirm", path="{confirm}", views=["oscar_crosschannel:confirm"]),
    Page(name="confirm-dark", path="{confirm}", dark=True),
    Page(name="confirmed", path="{confirm_done}", arrive=press("Yes, confirm")),
    Page(name="confirm-over", path="{confirm_over}", status=410),
    Page(name="join-closed", path="{join_closed}", views=["oscar_crosschannel:join"], status=410),
    Page(name="unknown-link", path="/cc/u/AAEwmeYxq1KI4_k8/", status=404),
)

PREFERENCES = (
    Page(
        name="preferences-account",
        path="/cc/preferences/",
        views=["oscar_crosschannel:account"],
        who="customer",
        ours=".crosschannel-preferences",
        stock="/accounts/profile/",
    ),
    Page(name="preferences", path="{preferences}", views=["oscar_crosschannel:preferences"]),
    Page(name="preferences-text", path="{preferences_text}"),
    Page(name="preferences-dark", path="{preferences}", dark=True),
    Page(name="preferences-wrong", path="{preferences}", arrive=save_nonsense),
    Page(name="preferences-wrong-dark", path="{preferences}", arrive=save_nonsense, dark=True),
    Page(name="preferences-guest", path="{preferences_rosa}"),
    Page(name="preferences-stopped", path="{preferences_una}", arrive=press("Stop everything")),
    Page(name="preferences-over", path="{preferences_over}", status=410),
    Page(name="why", path="{why}", views=["oscar_crosschannel:why"]),
    Page(name="why-dark", path="{why}", dark=True),
    Page(name="why-text", path="{why_text}"),
    Page(name="why-question", path="{why_question}"),
)

SIGN_UP = (
    Page(name="sign-up", path="/cc/sign-up/", views=["oscar_crosschannel:sign_up"]),
    Page(name="sign-up-dark", path="/cc/sign-up/", dark=True),
    Page(name="sign-up-wrong", path="/cc/sign-up/", arrive=sign_up_without_address),
    Page(name="signed-up", path="/cc/sign-up/", arrive=sign_up),
    Page(name="order-texts", path="{order_texts}", views=["oscar_crosschannel:order_texts"]),
    Page(name="order-texts-wrong-dark", path="{order_texts}", arrive=give_no_number, dark=True),
    Page(name="order-texts-taken", path="{order_texts}", arrive=give_another_number),
    Page(name="join-texts", path="{join_texts}", views=["oscar_crosschannel:join_texts"]),
    Page(name="join-texts-wrong-dark", path="{join_texts}", arrive=press("Sign up"), dark=True),
)

#: An email is shown inside the page of a mail program, which has these.
_LANDMARKS = frozenset({"landmark-one-main", "region"})

EMAILS = (
    Page(name="email", path="/outbox/mail/{mail}/", views=["outbox-mail"], excused=_LANDMARKS),
    Page(name="email-dark", path="/outbox/mail/{mail}/", dark=True, excused=_LANDMARKS),
    Page(name="email-question", path="/outbox/mail/{mail_question}/", excused=_LANDMARKS),
)

_ADMIN = "/admin/oscar_crosschannel"
_STOCK_LIST, _STOCK_FORM = "/admin/sites/site/", "/admin/sites/site/1/change/"


def _listing(model: str) -> Page:
    """A list. Where its name is long, Django's breadcrumbs break the rule for links in text, as on its forms."""
    return Page(
        name=f"{model}-list",
        path=f"{_ADMIN}/{model}/",
        views=[f"admin:oscar_crosschannel_{model}_changelist"],
        who="merchant",
        ours=CONTENT,
        stock=_STOCK_FORM if model in _LONG_NAMES else _STOCK_LIST,
    )


def _row(model: str, place: str, *, name: str = "") -> Page:
    return Page(
        name=name or model,
        path=f"{_ADMIN}/{model}/{{{place}}}/change/",
        views=[f"admin:oscar_crosschannel_{model}_change"],
        who="merchant",
        ours=CONTENT,
        stock=_STOCK_FORM,
    )


def _sheet(model: str, key: str, *, name: str = "") -> Page:
    """The page of something that is known by a key, and may have no row."""
    return Page(
        name=name or f"{model}-{key}",
        path=f"{_ADMIN}/{model}/{key}/change/",
        views=[f"admin:oscar_crosschannel_{model}_change"],
        who="merchant",
        ours=CONTENT,
        stock=_STOCK_FORM,
    )


def _adding(model: str) -> Page:
    return Page(
        name=f"{model}-add",
        path=f"{_ADMIN}/{model}/add/",
        views=[f"admin:oscar_crosschannel_{model}_add"],
        who="merchant",
        ours=CONTENT,
        stock=_STOCK_FORM,
    )


def _below_flow(
    view: str,
    path: str,
    *,
    name: str = "",
    flow: str = "flow",
    arrive: Callable[[Tab], None] | None = None,
    dark: bool = False,
) -> Page:
    return Page(
        name=name or f"flow-{view}",
        path=f"{_ADMIN}/flow/{{{flow}}}/{path}",
        views=[f"admin:oscar_crosschannel_flow_{view}"],
        who="merchant",
        arrive=arrive,
        ours=CONTENT,
        stock=_STOCK_FORM,
        dark=dark,
    )


def _act(model: str, act: str, place: str, *, name: str = "") -> Page:
    return Page(
        name=name or f"{model}-{act}",
        path=f"{_ADMIN}/{model}/{act}/?id={{{place}}}",
        views=[f"admin:oscar_crosschannel_{model}_{act}"],
        who="merchant",
        ours=CONTENT,
        stock=_STOCK_FORM,
    )


_MODELS = (
    "flow",
    "contact",
    "message",
    "enrolment",
    "suppression",
    "topic",
    "consentevent",
    "consenttext",
    "consenttemplate",
    "textingrule",
    "frequencycap",
    "guard",
    "smsbudget",
    "unreadreply",
    "ordinaryreply",
    "inboxevent",
    "consentimport",
    "erasure",
    "scheduledevent",
)

_LONG_NAMES = ("consenttemplate", "textingrule", "guard")

ADMIN = (
    Page(name="admin", path=f"{_ADMIN}/", who="merchant", ours=CONTENT, stock="/admin/auth/"),
    *(_listing(model) for model in _MODELS),
    _row("flow", "flow"),
    _row("contact", "ada"),
    _row("contact", "rosa", name="contact-stopped"),
    _row("message", "sent", name="message-sent"),
    _row("message", "planned", name="message-planned"),
    _row("message", "dropped", name="message-dropped"),
    _row("message", "stopped", name="message-stopped"),
    _row("message", "unknown", name="message-unknown"),
    _row("message", "cancelled", name="message-cancelled"),
    _row("message", "code", name="message-code"),
    _row("enrolment", "enrolment"),
    _row("suppression", "suppression"),
    _row("topic", "topic"),
    _row("consentevent", "consent"),
    _row("consenttext", "wording"),
    _adding("topic"),
    _sheet("consenttemplate", "sms.any.en"),
    _sheet("textingrule", "FR"),
    _sheet("textingrule", "marketing"),
    _sheet("frequencycap", "emails-a-week"),
    _adding("frequencycap"),
    _sheet("smsbudget", "day"),
    _row("guard", "guard"),
    _act("guard", "end", "guard"),
    _row("unreadreply", "unread"),
    _act("unreadreply", "stop", "unread_reply"),
    _act("unreadreply", "no-stop", "unread_reply"),
    _row("ordinaryreply", "answer"),
    _act("ordinaryreply", "read", "answer"),
    _row("inboxevent", "event"),
    _row("inboxevent", "event_aside", name="inboxevent-aside"),
    _act("inboxevent", "again", "event_aside"),
    _adding("consentimport"),
    _row("consentimport", "import", name="consentimport-waiting"),
    _row("consentimport", "import_done", name="consentimport-done"),
    _row("erasure", "erasure"),
    _adding("scheduledevent"),
    _row("scheduledevent", "scheduled"),
    _act("scheduledevent", "cancel", "scheduled"),
    _act("scheduledevent", "invite", "scheduled"),
    Page(
        name="erasure-address",
        path=f"{_ADMIN}/erasure/address/",
        views=["admin:oscar_crosschannel_erasure_address"],
        who="merchant",
        ours=CONTENT,
        stock=_STOCK_FORM,
    ),
    Page(
        name="erasure-address-seen",
        path=f"{_ADMIN}/erasure/address/",
        who="merchant",
        arrive=look_up_a_stop,
        ours=CONTENT,
        stock=_STOCK_FORM,
    ),
    _row("flow", "own_flow", name="flow-own"),
    _adding("flow"),
    _below_flow("edit", "edit/"),
    _below_flow("edit", "edit/", name="flow-edit-own", flow="own_flow"),
    _below_flow("edit", "edit/", name="flow-edit-asked", arrive=change_a_time),
    _below_flow("add_step", "steps/add/"),
    _below_flow("add_step", "steps/add/", name="flow-add-step-wrong", arrive=say_nothing_of_a_step),
    _below_flow("versions", "versions/", flow="own_flow"),
    _below_flow("version", "versions/3/", flow="own_flow"),
    _below_flow("version", "versions/3/", flow="own_flow", name="flow-version-dark", dark=True),
    _below_flow("words_list", "words/"),
    _below_flow("words", "words/nudge/email/en/?who={ada}", name="words-email"),
    _below_flow("words", "words/code/sms/en/?who={ada}", name="words-text"),
    _below_flow("test", "words/code/sms/en/test/?who={ada}"),
    _act("contact", "suppress", "ada_email"),
    _act("contact", "opt-out", "ada"),
    _act("contact", "export", "ada"),
    _act("contact", "erase", "ada"),
    _act("suppression", "lift", "bounce"),
    _act("suppression", "lift", "suppression", name="suppression-lift-refused"),
    _act("message", "call-off", "planned"),
    _act("enrolment", "end", "running"),
)

OUTBOX = (
    Page(name="outbox", path="/outbox/?who=ada@example.org", views=["outbox"]),
    Page(name="outbox-dark", path="/outbox/?who=ada@example.org", dark=True),
)

PAGES = (*STOREFRONT, *BEHIND_LINKS, *PREFERENCES, *SIGN_UP, *EMAILS, *ADMIN, *OUTBOX)

#: Addresses of ours without a page, and why.
NO_PAGES = {
    "oscar_crosschannel:click": "redirects to where the link leads",
    "oscar_crosschannel:parcel": "redirects to the carrier, or to the order",
    "oscar_crosschannel:twilio_inbound": "a webhook",
    "oscar_crosschannel:twilio_status": "a webhook",
    "admin:oscar_crosschannel_textingrule_open": "leads to the page of a place",
    "admin:oscar_crosschannel_consenttemplate_open": "leads to the words for a country",
    "admin:oscar_crosschannel_consentimport_template": "a file",
    "admin:oscar_crosschannel_consentimport_problems": "a file",
    "admin:oscar_crosschannel_consentimport_confirm": "a button",
    "admin:oscar_crosschannel_scheduledevent_delete": "Django's own page, which asks once more",
    "admin:oscar_crosschannel_topic_delete": "Django's own page, which asks once more",
    "admin:oscar_crosschannel_frequencycap_delete": "Django's own page, which asks once more",
    "outbox-leap": "a button of the outbox",
    "outbox-reply": "a button of the outbox",
    "outbox-become": "a button of the outbox",
    "outbox-start-over": "a button of the outbox",
}
