"""Results in sentences: the answer and the methods paragraph."""
