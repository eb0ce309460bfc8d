"""Of the demo's plot what the broken shop does wrong: two days, two people, and what must be true by then."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sandbox.demo.plot import BEGIN, SCENES, Story, basket

_WHO = {"ada", "alice"}
_MUST_BE_TRUE = {basket.ada_is_asked_by_email, basket.alice_is_known_by_her_phone}

TWO_DAYS = Story(
    scenes=[
        replace(scene, acts=[act for act in scene.acts if act[1] in _WHO])
        for scene in SCENES
        if scene.days in {0, 1}
    ],
    end=BEGIN + timedelta(days=2),
    statements=[statement for statement in basket.STATEMENTS if statement[1] in _MUST_BE_TRUE],
)
