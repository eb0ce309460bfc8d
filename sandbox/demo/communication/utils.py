"""The name is Oscar's."""

from oscar.apps.communication.utils import Dispatcher as CoreDispatcher

from oscar_crosschannel.oscar.dispatcher import SmsDispatcherMixin


class Dispatcher(SmsDispatcherMixin, CoreDispatcher):
    """Sends texts, too."""
