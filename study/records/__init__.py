"""Records, measurements and the results folder."""
