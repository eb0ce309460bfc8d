"""A run that was meant for PostgreSQL and quietly used SQLite would prove nothing."""

import pytest
from django.db import connection


@pytest.mark.django_db
def test_the_database_in_use_is_the_one_that_was_asked_for(vendor: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert connection.vendor == vendor


@pytest.mark.sqlite
@pytest.mark.django_db
def test_sqlite_lets_web_and_engine_work_side_by_side() -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        assert cursor.fetchone() == ("wal",)
    assert connection.transaction_mode == "IMMEDIATE"
