"""Every cost metric, by name. A new one is a file and a line here.

Not aware of studies, cells or architectures: a metric takes an nn.Module and a clip.
"""

from study.measure.metrics.energy import measure_energy
from study.measure.metrics.latency import measure_latency
from study.measure.metrics.macs import measure_macs
from study.measure.metrics.memory import measure_peak_memory, measure_training_memory
from study.measure.metrics.parameters import measure_parameters
from study.measure.metrics.part_latency import measure_part_latency
from study.measure.metrics.peak import measure_peak
from study.measure.metrics.second_count import measure_second_count
from study.measure.metrics.subject import Count, Derived, Isolated, Metric, SideBySide
from study.measure.metrics.throughput import (
    derive_throughput,
    measure_at_batch,
    sweep_sizes,
    why_stop,
)

METRICS: dict[str, Metric] = {
    "parameters": Count(measure_parameters),
    "macs": Count(measure_macs),
    "second_count": Count(measure_second_count),
    "latency": SideBySide(measure_latency),
    "part_latency": SideBySide(measure_part_latency),
    "peak_rate": SideBySide(measure_peak),
    "throughput": Derived(derive_throughput),
    "energy": SideBySide(measure_energy),
    "peak_memory": Isolated(measure_peak_memory, "peak memory"),
    "training_memory": Isolated(measure_training_memory, "training memory", is_needed=False),
    "batch_sweep": Isolated(
        measure_at_batch, "throughput sweep", sweep_sizes, why_stop, is_needed=False
    ),
}
