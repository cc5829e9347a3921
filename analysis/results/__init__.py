"""Outcomes and records as tables and figures ask for them."""
