"""Plans: the jobs of a study, matched with records."""
