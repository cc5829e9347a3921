"""Estimates, intervals, tests and power; numbers in, numbers out."""
