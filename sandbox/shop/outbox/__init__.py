"""The outbox: everybody's inbox and phone, the sandbox's clock, and buttons that move it. At /outbox/.

    views.py        the page and its buttons; answers with DEBUG only
    readers.py      who has an inbox and a phone
    outlooks.py     what the engine has in mind for them, in sentences
    mails.py        what the file backend of Django wrote
    phones.py       Twilio's counterpart in this process, and texts in both directions
    engine.py       the engine in this process; it moves the time from one due moment to the next
    happenings.py   what came of it, in sentences
    beginning.py    everything as on the first day

`manage.py serve_shop` puts it together. Part of the sandbox, which no wheel contains.
"""
