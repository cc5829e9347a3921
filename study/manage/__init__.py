"""A results folder: garbage collection, archives, import."""
