"""Who sends, as providers count it."""

from __future__ import annotations

from django.db import models


class Sender(models.Model):
    """A number, messaging service or account that may send only so fast; its row hands out the turns."""

    key = models.CharField(max_length=80, primary_key=True)
    #: up to this instant every turn is taken
    free_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.key
