"""What a model costs: counts, timing runs and their processes. Loads torch to build models."""
