"""Doors for people and providers: links in messages, pages behind them, and webhooks.

Used by `urls` and `apps` only. Views know requests and answers; what follows from them is decided
in services. No page here needs a log-in, a cookie or the shop's templates, and opening one never
changes anything: mail scanners open every link.
"""
