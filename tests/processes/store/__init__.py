"""A store for the processes of these tests: two flows, an operator with a mailbox, and short times."""
