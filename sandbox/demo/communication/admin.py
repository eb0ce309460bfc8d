from oscar.apps.communication import admin  # noqa: F401, which registers them
