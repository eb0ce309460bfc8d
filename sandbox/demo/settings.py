"""The sandbox as the demo runs it: everything that is due goes out at once, and the app answers STOP itself."""

from sandbox.settings import *

#: The clock jumps; a pass that waits would be late for it.
CROSSCHANNEL_TICK_SECONDS = 0.02
# Phones must show what the app sends and keeps back, not what the provider filters for it.
CROSSCHANNEL_SMS_OPT_OUT_REPLIES = "app_managed"
