"""Findings from results: claims, verdicts, ranks, effects, scaling, tuning. No torch."""
