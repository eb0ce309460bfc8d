"""How the story is printed: a timeline by days, with everybody's own time; who got what; and the verdict."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from datetime import date, datetime

from oscar_crosschannel.testing.sms_counterpart import Text

from .cast import Customer
from .mailbox import Mail

#: So much of a text is enough to recognise it.
BEGINNING = 48

_NARROWEST, _WIDEST = 80, 100
#: Where words begin, after " 17:01  Ada     Seattle  Tue 14:01  TEXT   ".
_INDENT = 44
_BOLD, _DIM, _RED, _GREEN, _YELLOW, _CYAN = "1", "2", "31", "32", "33", "36"
#: A happening takes so many lines at most.
_LINES = 2
_LINK = re.compile(r"https?://\S+")


class Teller:
    """Prints as it happens. Colours only for a person at a terminal."""

    def __init__(self, first: datetime, titles: Mapping[date, str]) -> None:
        """`first`: day 1 begins then, on the clock of the shop; `titles`: of days."""
        self._first = first
        self._titles = titles
        self._is_terminal = sys.stdout.isatty()
        columns = shutil.get_terminal_size((_WIDEST, 24)).columns
        self._width = max(_NARROWEST, min(_WIDEST, columns))
        self._passing = False
        self._known: set[str] = set()
        self._day: date | None = None

    def say(self, words: str = "") -> None:
        """A plain line, or several."""
        self._clear()
        print(words, flush=True)

    def heading(self, words: str) -> None:
        self.say()
        self.say(self._in(_BOLD, f"── {words} ".ljust(self._width, "─")))

    def passing(self, words: str) -> None:
        """What is happening, for somebody who waits; the next line replaces it. Nothing in a file."""
        if self._is_terminal:
            print(f"\r\x1b[K{self._in(_DIM, words[: self._width])}", end="", flush=True)
            self._passing = True

    def act(self, at: datetime, who: Customer, words: str) -> None:
        """Somebody does something."""
        self._entry(at, who, "", words, "")

    def astray(self, at: datetime, who: Customer, words: str) -> None:
        """Somebody could not do what the story says."""
        self._entry(at, who, "✗", words, _RED)

    def typed(self, at: datetime, who: Customer, words: str) -> None:
        """Somebody texts the shop."""
        self._entry(at, who, "texts", words, _YELLOW)

    def arrived(self, arrival: Mail | Text, who: Customer) -> None:
        """Something reaches a mailbox or a phone."""
        if isinstance(arrival, Text):
            words = _LINK.sub("[link]", arrival.body).removesuffix(" Reply STOP to opt out")
            self._entry(arrival.at, who, "TEXT", self._once(words), _GREEN)
            return
        kept = " + calendar" if arrival.calendar is not None else ""
        self._entry(arrival.at, who, "EMAIL", f"“{arrival.subject}”{kept}", _CYAN)

    def account(self, who: Customer, counted: str, got: Sequence[str], kept: Sequence[str]) -> None:
        """Somebody's two weeks."""
        self.say(f" {self._in(_BOLD, f'{who.name:<7}')} agreed to {who.agreed} · got {counted}")
        for mark, lines in (("+", got), ("–", kept)):
            text = " · ".join(lines)
            for number, line in enumerate(textwrap.wrap(text, self._width - 11)):
                self.say(f"         {mark if number == 0 else ' '} {line}")

    def check(self, sentence: str, wrong: Sequence[str]) -> None:
        """One line of the verdict, and what speaks against it."""
        mark = self._in(_RED, "✗") if wrong else self._in(_GREEN, "✓")
        first, *rest = textwrap.wrap(sentence, self._width - 3)
        self.say(f" {mark} {first}")
        for line in rest:
            self.say(f"   {line}")
        for problem in wrong:
            for line in textwrap.wrap(problem, self._width - 7):
                self.say(self._in(_RED, f"     {line}"))

    def end(self, words: str, *, good: bool) -> None:
        self.say(self._in(f"{_BOLD};{_GREEN if good else _RED}", words))

    def _entry(self, at: datetime, who: Customer, kind: str, words: str, colour: str) -> None:
        shop = at.astimezone(self._first.tzinfo)
        if shop.date() != self._day:
            self._begin(shop.date())
        place = f"{who.place:<8} {who.local(at)}"
        room = self._width - _INDENT
        first, *rest = textwrap.wrap(words, room, max_lines=_LINES, placeholder=" …", break_long_words=False)
        self.say(
            f" {shop:%H:%M}  {self._in(_BOLD, f'{who.name:<6}')}  {self._in(_DIM, place)}  "
            f"{self._in(colour, f'{kind:<6}')} {self._in(colour if kind in {'✗', 'EMAIL'} else '', first)}"
        )
        for line in rest:
            self.say(" " * _INDENT + line)

    def _begin(self, day: date) -> None:
        """The heading of a day."""
        self._day = day
        number = (day - self._first.date()).days + 1
        name = f"Day {number}, {day:%A} {day.day} {day:%B}" if number > 0 else f"{day.day} {day:%B}"
        self.heading(": ".join(filter(None, [name, self._titles.get(day, "")])))

    def _once(self, words: str) -> str:
        """The words; when they were told before, only how they begin."""
        if words in self._known:
            return textwrap.shorten(words, BEGINNING, placeholder=" …")
        self._known.add(words)
        return words

    def _in(self, colour: str, words: str) -> str:
        return f"\x1b[{colour}m{words}\x1b[0m" if colour and self._is_terminal else words

    def _clear(self) -> None:
        if self._passing:
            print("\r\x1b[K", end="")
            self._passing = False
