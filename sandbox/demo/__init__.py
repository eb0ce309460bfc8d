"""The demo: six people and two who pass by, one shop, two weeks in a minute and a half. `python -m sandbox.demo`.

Everything speaks over the network as in a real shop: browsers with the storefront, the merchant with
the dashboard and the admin, the engine with an SMTP server and with Twilio's counterpart, phones with
the webhooks. Only time is moved. Whether the story is true is judged by what mailboxes and phones
received and by Oscar's orders; the app's own tables are read for one thing, the account at the end of
who got what, and why not.

    plot/           who does what, and when; each thread with what must be true of it
    cast.py         the people
    stage.py        what an act can use, and what it leaves behind
    verdict.py      how a statement is judged
    communication/  what a shop adds so that the texts of Oscar's own go out, too
    storefront.py   what a customer does in Oscar's pages
    merchant.py     what the shop does, in the dashboard and the admin
    browser.py      a browser: cookies, links, forms
    mailbox.py      the SMTP server
    world.py        the processes and their clock
    preparation.py  an empty database becomes a stocked shop
    telling.py      how it is printed
    reasons.py      what the app says of its messages
    performance.py  all of it, from curtain to verdict

Nothing imports this package.
"""
