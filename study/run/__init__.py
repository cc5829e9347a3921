"""Runs a plan: costs, tuning, training, here or on a cluster."""
