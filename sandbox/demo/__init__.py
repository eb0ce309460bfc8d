"""The demo: ten people, one shop, ten days in about a minute. `python -m sandbox.demo`.

Everything speaks over the network as in a real shop: browsers with the storefront, the engine with
an SMTP server and with Twilio's counterpart, phones with the webhooks. Only time is moved. Whether
the story is true is judged by what mailboxes and phones received and by Oscar's orders; the app's own
tables are read for one thing, the reasons in the closing table.

    story.py        who does what, and when
    cast.py         the people
    verdict.py      what must be true at the end
    storefront.py   what a customer does in Oscar's pages
    browser.py      a browser: cookies, links, forms
    mailbox.py      the SMTP server
    world.py        the processes and their clock
    preparation.py  an empty database becomes a stocked shop
    telling.py      how it is printed
    reasons.py      why something was not sent
    performance.py  all of it, from curtain to verdict

Nothing imports this package.
"""
