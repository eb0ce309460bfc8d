"""A small shop to try the app in: `make serve`, `make demo`, and the ground of the tests.

Not shipped in the wheel. Imports the app as any store would; the app never imports it.
"""
