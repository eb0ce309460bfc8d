"""The shop's fork of Oscar's app, as Oscar's guide makes one: the texts that Oscar has words for go out.

The words are in `templates/`. Nothing else is changed, so Oscar's own migrations are used (see the settings).
"""
