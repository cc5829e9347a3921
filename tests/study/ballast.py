"""A module that takes 100 MiB to import."""

BALLAST = bytearray(b"x") * (100 * 2**20)
