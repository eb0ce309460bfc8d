"""Values and pure functions: everything the app decides, without Django, a clock or I/O.

May be imported by everyone. Must not know Django, Oscar, Celery, a provider, or what time it is:
every instant arrives as an argument.
"""
