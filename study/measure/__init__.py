"""Costs of models: counts, timing runs and their processes. Loads torch to build models."""
