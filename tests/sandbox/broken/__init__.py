"""A shop that breaks its own version of the flow, for the demo to find out."""
