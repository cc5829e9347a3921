"""What results mean: claims, verdicts, ranks, effects, scaling, tuning. No torch."""
