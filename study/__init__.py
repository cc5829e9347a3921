"""Plan a study, run its cells, keep its records. Knows many runs and no model by name."""
