"""Email and SMS, and the providers behind them.

Used by services through `Channel`. Knows core values and settings; must not know models,
signals or services.
"""
