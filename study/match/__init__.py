"""Cells scaled to equal cost (`match`): counted or timed values, and the search for the nearest."""
