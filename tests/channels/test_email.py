"""Email: what every message carries, and which may not go out."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core import mail

from oscar_crosschannel.channels.base import Pace
from oscar_crosschannel.channels.email import EmailChannel
from oscar_crosschannel.core.facts import Purpose
from oscar_crosschannel.core.outbound import Content, Outbound, Recipient, Refused, SenderBroken
from oscar_crosschannel.testing.channels import NOW, SENDER

URL = "https://shop.example/u/t0k-En_1/"
WORDS = {
    "subject": "New teas",
    "text": f"New teas are in.\n\nUnsubscribe: {URL}\n",
    "html": f"<html><body><h1>New teas</h1><a href='{URL}'>Unsubscribe</a></body></html>",
    "unsubscribe_url": URL,
}
ADDRESS = "Quillbrook Ltd\n1 Mill Lane, York"


@pytest.fixture(autouse=True)
def _sender(settings: Any, mailoutbox: list[Any]) -> None:
    settings.CROSSCHANNEL_EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    for name, value in SENDER.items():
        setattr(settings, f"CROSSCHANNEL_{name}", value)


@pytest.fixture
def channel() -> EmailChannel:
    return EmailChannel()


def compose(purpose: Purpose = Purpose.MARKETING, **changes: str) -> Content:
    return EmailChannel().compose({**WORDS, **changes}, purpose=purpose, language="en")


def outbound(content: Content | None = None, **changes: Any) -> Outbound:
    known: dict[str, Any] = {
        "uuid": UUID(int=1),
        "recipient": Recipient(address="ada@example.org", name="Ada"),
        "content": content or compose(),
        "purpose": Purpose.MARKETING,
        "topic": "weekly_deals",
        "now": NOW,
        "unsubscribe_url": URL,
    }
    return Outbound(**{**known, **changes})


def sent(**changes: Any) -> EmailMessage:
    """The message that `outbound(**changes)` becomes on the wire."""
    EmailChannel().send(outbound(**changes))
    parsed = message_from_bytes(mail.outbox[-1].message().as_bytes(), policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


# It works.


def test_an_email_has_a_text_and_an_html_part_and_one_recipient() -> None:
    message = sent()
    assert message["To"] == "ada@example.org"
    assert message["Cc"] is None
    assert message["Subject"] == "New teas"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert mail.outbox[-1].recipients() == ["ada@example.org"]


@pytest.mark.rule(41)
def test_marketing_email_shows_the_ways_out_that_mail_programs_look_for() -> None:
    message = sent()
    assert message["List-Unsubscribe"] == f"<{URL}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["List-ID"] == "<weekly-deals.shop.example>"


@pytest.mark.rule(41)
def test_a_mailto_follows_the_https_link_and_carries_its_token(settings: Any) -> None:
    settings.CROSSCHANNEL_EMAIL_UNSUBSCRIBE_MAILTO = "leave@shop.example"
    mailto = "<mailto:leave@shop.example?subject=unsubscribe%20t0k-En_1>"
    assert sent()["List-Unsubscribe"] == f"<{URL}>, {mailto}"


@pytest.mark.rule(41)
@pytest.mark.parametrize("purpose", [Purpose.TRANSACTIONAL, Purpose.CRITICAL])
def test_transactional_email_carries_no_one_click(purpose: Purpose) -> None:
    message = sent(content=compose(purpose), purpose=purpose)
    assert not [name for name in message if name.lower().startswith("list-")]


def test_what_a_person_asked_for_can_be_ended_by_one_click() -> None:
    assert sent(purpose=Purpose.REQUESTED)["List-Unsubscribe"]
    assert sent(purpose=Purpose.REQUESTED, unsubscribe_url="")["List-Unsubscribe"] is None


@pytest.mark.rule(46)
def test_marketing_and_transactional_email_have_senders_of_their_own() -> None:
    assert sent()["From"] == "Quillbrook <news@shop.example>"
    for purpose in (Purpose.REQUESTED, Purpose.TRANSACTIONAL, Purpose.CRITICAL):
        assert sent(purpose=purpose)["From"] == "Quillbrook <orders@shop.example>"


def test_transactional_email_falls_back_to_the_projects_sender(settings: Any) -> None:
    settings.CROSSCHANNEL_EMAIL_FROM_TRANSACTIONAL = ""
    settings.DEFAULT_FROM_EMAIL = "shop@shop.example"
    assert sent(purpose=Purpose.TRANSACTIONAL)["From"] == "shop@shop.example"


@pytest.mark.rule(41)
def test_the_postal_address_is_added_to_both_bodies_once() -> None:
    content = compose()
    assert content.text.endswith(f"\n\n{ADDRESS}")
    assert "<p>Quillbrook Ltd<br>1 Mill Lane, York</p></body>" in content.html
    again = compose(text=content.text, html=content.html)
    assert again.text == content.text
    assert again.html.count("Mill Lane") == 1


def test_a_postal_address_that_the_copy_shows_in_its_own_way_is_left_alone() -> None:
    html = f"<p>Quillbrook Ltd</p>\n<p>1 Mill Lane,&nbsp;York</p> <a href='{URL}'>Unsubscribe</a>"
    content = compose(text=f"Quillbrook Ltd 1 Mill Lane, York\n{URL}", html=html)
    assert content.text.count("Mill Lane") == 1
    assert content.html.count("Mill Lane") == 1


def test_a_postal_address_is_text_and_not_markup(settings: Any) -> None:
    settings.CROSSCHANNEL_POSTAL_ADDRESS = "Cups & <b>Leaves</b>"
    assert "<p>Cups &amp; &lt;b&gt;Leaves&lt;/b&gt;</p>" in compose().html


def test_styles_are_inlined_and_media_queries_kept() -> None:
    style = "<style>h1 {color: green} @media (max-width: 400px) {h1 {color: blue}}</style>"
    html = compose(
        html=f"<html><head>{style}</head><body><h1>Hi</h1><a href='{URL}'>x</a></body></html>"
    ).html
    assert re.search(r'<h1 style="color: ?green;?">', html)
    assert "@media" in html


def test_several_threads_may_compose() -> None:
    with ThreadPoolExecutor(4) as pool:
        assert len({content.html for content in pool.map(lambda _: compose(), range(16))}) == 1


def test_a_style_sheet_elsewhere_is_not_fetched() -> None:
    link = "<link rel='stylesheet' href='http://127.0.0.1:9/x.css'>"
    assert "Hi" in compose(html=f"<html><head>{link}</head><body>Hi <a href='{URL}'>x</a></body></html>").html


def test_an_email_may_be_text_only() -> None:
    content = compose(html="")
    assert content.html == ""
    message = sent(content=content)
    assert message.get_content_type() == "text/plain"


def test_a_subject_from_a_template_file_becomes_one_line() -> None:
    assert compose(subject="\n New\n  teas \n").subject == "New teas"


@pytest.mark.rule(61)
def test_a_backend_without_ids_gives_a_receipt_without_one(channel: EmailChannel) -> None:
    receipt = channel.send(outbound())
    assert (receipt.provider, receipt.provider_id) == ("locmem", "")


def test_email_may_be_written_to_files(channel: EmailChannel, settings: Any, tmp_path: Path) -> None:
    settings.CROSSCHANNEL_EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = tmp_path
    assert channel.send(outbound()).provider == "filebased"
    channel.close()
    [file] = tmp_path.iterdir()
    assert "To: ada@example.org" in file.read_text()


@pytest.mark.rule(80)
def test_email_is_not_slowed_down_unless_a_setting_says_so(channel: EmailChannel, settings: Any) -> None:
    assert channel.pace() is None
    settings.CROSSCHANNEL_EMAIL_RATE = 3.0
    assert channel.pace() == Pace(sender="email", per_second=3.0)


# It refuses.


@pytest.mark.rule(46)
@pytest.mark.parametrize("setting", ["POSTAL_ADDRESS", "EMAIL_FROM_MARKETING"])
def test_marketing_is_refused_without_address_or_sender(settings: Any, setting: str) -> None:
    setattr(settings, f"CROSSCHANNEL_{setting}", "")
    with pytest.raises(Refused, match=setting):
        compose()
    assert compose(Purpose.TRANSACTIONAL).text


@pytest.mark.rule(41)
@pytest.mark.parametrize(
    "changes",
    [{"text": "New teas."}, {"html": "<p>New teas.</p>"}, {"unsubscribe_url": ""}],
    ids=["not in the text", "not in the HTML", "not known"],
)
def test_marketing_is_refused_without_a_visible_way_out(changes: dict[str, str]) -> None:
    with pytest.raises(Refused, match="unsubscribe"):
        compose(**changes)


def test_an_escaped_unsubscribe_link_is_seen() -> None:
    url = "https://shop.example/u/?a=1&b=2"
    html = '<a href="https://shop.example/u/?a=1&amp;b=2">Unsubscribe</a>'
    assert compose(text=url, html=html, unsubscribe_url=url).html


@pytest.mark.rule(41)
def test_marketing_is_refused_at_the_call_without_an_unsubscribe_address(channel: EmailChannel) -> None:
    with pytest.raises(Refused):
        channel.send(outbound(unsubscribe_url=""))
    assert mail.outbox == []


def test_an_email_without_a_subject_is_refused() -> None:
    with pytest.raises(Refused):
        compose(subject=" \n")


@pytest.mark.parametrize("address", ["", "ada", "ada@exa mple.com", "ada@example.org\nBcc: eve@example.org"])
def test_what_is_no_address_is_refused_before_the_call(channel: EmailChannel, address: str) -> None:
    with pytest.raises(Refused):
        channel.send(outbound(recipient=Recipient(address=address)))
    assert mail.outbox == []


def test_a_header_cannot_smuggle_in_another(channel: EmailChannel) -> None:
    with pytest.raises(Refused):
        channel.send(outbound(headers={"Reply-To": "a@example.org\nBcc: eve@example.org"}))


def test_a_sender_that_is_no_address_stops_the_channel_not_the_message(
    channel: EmailChannel, settings: Any
) -> None:
    settings.CROSSCHANNEL_EMAIL_FROM_MARKETING = "Quillbrook"
    with pytest.raises(SenderBroken):
        channel.send(outbound())


@pytest.mark.parametrize("path", ["no.such.Backend", "django.core.mail.backends.smtp.Nothing"])
def test_a_backend_that_does_not_exist_stops_the_channel(
    channel: EmailChannel, settings: Any, path: str
) -> None:
    settings.CROSSCHANNEL_EMAIL_BACKEND = path
    with pytest.raises(SenderBroken):
        channel.send(outbound())
