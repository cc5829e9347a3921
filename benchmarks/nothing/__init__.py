"""What the jobs of benchmarks/overhead.py do; a module that their processes find by name."""


def nothing(number: int) -> int:
    """Called once a job, by every way."""
    return number
