"""The abandoned basket, over HTTP, in every kind of store. The matrix is printed at the end of the run."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module

import pytest

from .databases import own_database
from .kinds import KINDS, ON_POSTGRESQL, Kind
from .matrix import judge
from .table import COLUMNS, PROOF, Results, table

Record = Callable[[str, object], None]

ALL_WELL = {column: [] for column in (PROOF, *COLUMNS)}

pytestmark = pytest.mark.slow


@pytest.mark.sqlite
@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_the_story_is_true_in_a_store_that_is(kind: Kind, record_property: Record) -> None:
    results = judge(kind)
    record_property("store matrix", [kind.name, results])
    assert results == ALL_WELL


@pytest.mark.postgresql
def test_the_story_is_true_in_a_forked_store_on_postgresql(record_property: Record) -> None:
    with own_database(os.environ["SANDBOX_DATABASE_URL"]) as url:
        results = judge(ON_POSTGRESQL, SANDBOX_DATABASE_URL=url)
    record_property("store matrix", [ON_POSTGRESQL.name, results])
    assert results == ALL_WELL


def test_our_migration_knows_of_oscars_only_the_first_of_each_app() -> None:
    migration = import_module("oscar_crosschannel.migrations.0001_initial").Migration
    oscars = {"address", "basket", "catalogue", "customer", "offer", "order", "partner", "voucher"}
    known = {(app, name) for app, name in migration.dependencies if app in oscars}
    assert known
    assert {name for _, name in known} == {"0001_initial"}, (
        "makemigrations names the last migration of each app; forks number theirs differently after the first"
    )


def test_a_row_of_the_matrix_says_what_is_wrong() -> None:
    wrong: Results = {**ALL_WELL, "text": ["Ada got 2 after a day", "by night"]}
    head, plain, forked, reason = table({"plain": ALL_WELL, "forked": wrong})
    assert head.split()[0] == "store"
    assert plain.split() == ["plain", *["yes"] * 6]
    assert forked.split() == ["forked", "yes", "yes", "NO", "(1)", "yes", "yes", "yes"]
    assert reason == "(1) forked, text: Ada got 2 after a day; by night"
