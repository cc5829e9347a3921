"""Checks, packing and export of data before a study is run."""
