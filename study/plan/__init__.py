"""A Study and the records there are: which jobs are done, and which are to run."""
