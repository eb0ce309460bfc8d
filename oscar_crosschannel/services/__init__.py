"""Use cases: the only writers of rows, and the only ones that open transactions.

Used by tasks, api and everything above. Reaches the shop only through the ports in `conf`, and
providers only through `channels`. Must not know requests, templates of pages, Celery or Oscar;
every instant arrives as an argument.
"""
