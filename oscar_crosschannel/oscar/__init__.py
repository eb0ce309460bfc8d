"""What Oscar is, in our words: its signals, sessions, baskets, orders and vouchers.

Imported by blueprints, web, admin and templatetags, which never ask Oscar themselves, and bound
to the services as their `Shop` in `apps.py`. May write through services and through Oscar's own
models; must not know flows, channels or how a message is sent.
"""
