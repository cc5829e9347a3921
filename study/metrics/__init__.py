"""Every cost metric, by name. A new one is a file and a line here.

Not aware of studies, cells or architectures: a metric takes an nn.Module and a clip.
"""

from study.metrics.latency import measure_latency
from study.metrics.macs import count, measure_macs
from study.metrics.memory import measure_peak_memory
from study.metrics.parameters import measure_parameters
from study.metrics.part_latency import measure_part_latency
from study.metrics.peak import measure_peak
from study.metrics.second_count import measure_second_count
from study.metrics.subject import (
    Count,
    Counts,
    Derived,
    Isolated,
    Metric,
    Reading,
    SideBySide,
    Subject,
    Watch,
)
from study.metrics.throughput import derive_throughput

METRICS: dict[str, Metric] = {
    "parameters": Count(measure_parameters),
    "macs": Count(measure_macs),
    "second_count": Count(measure_second_count),
    "latency": SideBySide(measure_latency),
    "part_latency": SideBySide(measure_part_latency),
    "peak_rate": SideBySide(measure_peak),
    "throughput": Derived(derive_throughput),
    "peak_memory": Isolated(measure_peak_memory),
}

__all__ = [
    "METRICS",
    "Counts",
    "Metric",
    "Reading",
    "Subject",
    "Watch",
    "count",
]
