"""Time and disk space that a plan takes, from the records of earlier runs."""
