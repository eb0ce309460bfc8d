"""A browser without a screen: cookies, links and forms of real pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urljoin, urlsplit

import requests
from bs4 import BeautifulSoup, Tag

COMPUTER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)
#: Of those that say what they are; what else gives a scanner away depends on seconds.
SCANNER = "Mozilla/5.0 (compatible; Proofpoint URL Defense; mail scanner)"

#: What is put into a form; True ticks a box, a tuple those boxes of the name that have these values.
Fields = Mapping[str, str | bool | tuple[str, ...]]

_SECONDS = 60
#: So many pages may lead on to the next before one is shown.
_HOPS = 5


class Astray(Exception):
    """The shop, or a message, was not as the story needs it."""


class Page:
    """One page that a browser shows."""

    def __init__(self, response: requests.Response) -> None:
        self.url = response.url
        self.path = urlsplit(response.url).path
        self.soup = BeautifulSoup(response.content, "html.parser")

    @property
    def words(self) -> str:
        """Everything that can be read on it, with single spaces."""
        return " ".join(self.soup.get_text(" ").split())

    def link(self, text: str) -> str:
        """Where the link with this title or text leads."""
        for anchor in self.soup.select("a[href]"):
            if text in (anchor.get("title"), anchor.get_text(strip=True)):
                return urljoin(self.url, str(anchor["href"]))
        raise Astray(f"{self.path} has no link “{text}”")

    def link_to(self, path: str) -> str:
        """The first link that leads to a path, whatever it is called, and whatever language stands before it."""
        for anchor in self.soup.select("a[href]"):
            if urlsplit(urljoin(self.url, str(anchor["href"]))).path.endswith(path):
                return urljoin(self.url, str(anchor["href"]))
        raise Astray(f"{self.path} has no link to {path}")

    def form(self, *names: str) -> Tag:
        """The first form that has all these fields."""
        for form in self.soup.select("form"):
            if set(names) <= {str(field["name"]) for field in self.fields(form)}:
                return form
        raise Astray(f"{self.path} has no form with {', '.join(names)}")

    def has_form(self, *names: str) -> bool:
        """Whether there is a form with all these fields."""
        try:
            self.form(*names)
        except Astray:
            return False
        return True

    def fields(self, form: Tag) -> Iterator[Tag]:
        """Everything with a name in a form, and what belongs to it from elsewhere on the page."""
        yield from form.select("input[name], select[name], textarea[name], button[name]")
        if form.get("id"):
            yield from self.soup.select(f'input[name][form="{form["id"]}"]')


class Browser:
    """One device with its own cookies."""

    def __init__(self, home: str, *, agent: str = COMPUTER, language: str = "en") -> None:
        self.home = home
        self.session = requests.Session()
        self.session.trust_env = False  # a proxy knows no loopback addresses
        self.session.headers.update({"User-Agent": agent, "Accept-Language": language})

    def open(self, url: str) -> Page:
        """Follow a link, or a path of the shop."""
        return self._shown(self.session.get(self._address(url), timeout=_SECONDS))

    def look(self, url: str) -> None:
        """Ask for the head of a page only, as some mail scanners do."""
        self.session.head(url, timeout=_SECONDS, allow_redirects=True)

    def post(self, url: str, data: Mapping[str, str] | list[tuple[str, str]]) -> Page:
        """Post without a page before it, as a mailbox does for its unsubscribe button."""
        return self._shown(self.session.post(self._address(url), data=data, timeout=_SECONDS))

    def destination(self, url: str) -> str:
        """Where a link leads in the end, if that is outside the shop: an address that is not opened."""
        for _ in range(_HOPS):
            response = self.session.get(self._address(url), timeout=_SECONDS, allow_redirects=False)
            if not response.is_redirect:
                break
            url = urljoin(response.url, response.headers["Location"])
            if not url.startswith(self.home):
                return url
        raise Astray(f"{urlsplit(url).path} leads nowhere outside the shop")

    def submit(self, page: Page, fields: Fields, *, press: str = "", form_id: str = "") -> Page:
        """Fill in the form that has these fields, or this id, and send it.

        `press`: name of the button, or "name=value", where it matters which one is pressed.
        """
        button, _, _ = press.partition("=")
        if form_id:
            form = page.soup.find(id=form_id)
        else:
            form = page.form(*fields, *filter(None, [button]))
        if not isinstance(form, Tag):
            raise Astray(f"{page.path} has no form called {form_id}")
        data = list(_filled_in(page, form, fields, press))
        return self.post(urljoin(page.url, str(form.get("action") or page.url)), data)

    def _address(self, url: str) -> str:
        return urljoin(self.home, url)

    def _shown(self, response: requests.Response) -> Page:
        if response.status_code != requests.codes.ok:
            path = urlsplit(response.url).path
            raise Astray(f"{response.request.method} {path} was answered with {response.status_code}")
        return Page(response)


def _filled_in(page: Page, form: Tag, fields: Fields, press: str) -> Iterator[tuple[str, str]]:
    for field in page.fields(form):
        name = str(field["name"])
        if (value := _value(field, fields.get(name), press=press)) is not None:
            yield name, value


def _value(field: Tag, wanted: str | bool | tuple[str, ...] | None, *, press: str) -> str | None:
    """What a browser sends for one field; None: nothing."""
    own = str(field.get("value") or "")
    kind = "button" if field.name == "button" else str(field.get("type") or "text")
    if kind in {"button", "submit"}:
        return own if press in {str(field["name"]), f"{field['name']}={own}"} else None
    if kind == "checkbox":
        is_ticked = field.has_attr("checked") if wanted is None else bool(wanted)
        return (own or "on") if is_ticked and (not isinstance(wanted, tuple) or own in wanted) else None
    if kind == "radio":
        return own if (wanted == own if wanted is not None else field.has_attr("checked")) else None
    if wanted is not None:
        return str(wanted)
    return None if kind in {"file", "reset"} else _content(field, own)


def _content(field: Tag, own: str) -> str:
    """What stands in a field that nobody touched."""
    if field.name == "textarea":
        return field.get_text()
    if field.name == "select":
        chosen = field.select_one("option[selected]") or field.select_one("option")
        return str(chosen.get("value") or "") if chosen else ""
    return own
