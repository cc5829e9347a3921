"""Jobs that do nothing, for benchmarks/overhead.py, and made records (results.py)."""


def nothing(number: int) -> int:
    """Called once a job, by every way."""
    return number
