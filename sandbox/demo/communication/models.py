from oscar.apps.communication import models  # noqa: F401, which makes the models
