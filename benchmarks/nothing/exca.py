"""The same job as exca's task; a module that its processes find by name."""

import exca
import pydantic

from benchmarks.nothing import nothing


class Nothing(pydantic.BaseModel):
    """A task that does nothing."""

    number: int
    infra: exca.TaskInfra = exca.TaskInfra()

    @infra.apply
    def run(self) -> int:
        """Cached by exca in the task's folder."""
        return nothing(self.number)
