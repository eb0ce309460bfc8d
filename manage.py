#!/usr/bin/env python
"""Commands of the sandbox shop."""

import os
import sys

from django.core.management import execute_from_command_line

from sandbox import clock


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sandbox.settings")
    clock.install()
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
