"""How the story is printed: a timeline with everybody's own time, a table, and the verdict."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from datetime import datetime, timedelta

from oscar_crosschannel.testing.sms_counterpart import Text

from .cast import Customer
from .mailbox import Mail

#: So much of a text is enough to recognise it.
BEGINNING = 60

_NARROWEST, _WIDEST = 78, 110
#: Where words begin, after " 1d  4:01  Wed 14:01 Seattle   Ada    TEXT  ".
_INDENT = 44
_BOLD, _DIM, _RED, _GREEN, _YELLOW, _CYAN = "1", "2", "31", "32", "33", "36"


class Teller:
    """Prints as it happens. Colours only for a person at a terminal."""

    def __init__(self, begin: datetime) -> None:
        self.begin = begin
        self._is_terminal = sys.stdout.isatty()
        columns = shutil.get_terminal_size((_WIDEST, 24)).columns
        self._width = max(_NARROWEST, min(_WIDEST, columns) - 1)
        self._passing = False
        self._known: set[str] = set()

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
            self._entry(arrival.at, who, "TEXT", self._once(arrival.body), _GREEN)
            return
        self._entry(arrival.at, who, "EMAIL", f"“{arrival.subject}”", _CYAN)
        if arrival.is_marketing:
            for line in textwrap.wrap(_excerpt(arrival.text), self._width - _INDENT):
                self.say(" " * _INDENT + self._in(_DIM, line))

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Rows of equal length, the first is the head; the last column is wrapped."""
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
        indent = sum(widths) + 2 * len(widths) + 1
        for number, row in enumerate(rows):
            cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
            first, *rest = textwrap.wrap(row[-1], self._width - indent) or [""]
            line = f" {cells}  {first}".rstrip()
            self.say(self._in(_DIM, line) if number == 0 else line)
            for more in rest:
                self.say(" " * indent + more)

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
        when = f"{self._elapsed(at):>9}  {who.local(at)} {who.place:<8}"
        first, *rest = textwrap.wrap(words, self._width - _INDENT, break_long_words=False) or [""]
        self.say(
            f"{self._in(_DIM, when)}  {self._in(_BOLD, f'{who.name:<6}')} "
            f"{self._in(colour, f'{kind:<5}')} {self._in(colour if kind in {'✗', 'EMAIL'} else '', first)}"
        )
        for line in rest:
            self.say(" " * _INDENT + line)

    def _once(self, words: str) -> str:
        """The words; when they were told before, only how they begin."""
        if words in self._known:
            return textwrap.shorten(words, BEGINNING, placeholder=" … (the same words)")
        self._known.add(words)
        return words

    def _elapsed(self, at: datetime) -> str:
        minutes = (at - self.begin) // timedelta(minutes=1)
        days, hours = divmod(minutes // 60, 24)
        clock = f"{hours}:{minutes % 60:02}"
        return f"{days}d {clock:>5}" if days else clock

    def _in(self, colour: str, words: str) -> str:
        return f"\x1b[{colour}m{words}\x1b[0m" if colour and self._is_terminal else words

    def _clear(self) -> None:
        if self._passing:
            print("\r\x1b[K", end="")
            self._passing = False


def _excerpt(text: str) -> str:
    """What an email says before its first link, in one line."""
    letter, link, _ = text.partition("http")
    lines = [line.strip() for line in letter.splitlines() if line.strip()]
    words = " · ".join([*lines, "[link]"] if link else lines)
    return words.replace(", ·", ",").replace(": ·", ":")
