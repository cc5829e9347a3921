"""Names of tables and figures in a study file, checked without an import of any plotting."""

from collections.abc import Mapping

from analysis.figures import FIGURES
from analysis.tables import TABLES
from study.spec.settings import ReportConfig
from study.spec.study import Study
from vlf.config import ConfigError, nearest


def check_report(study: Study) -> None:
    """Refuse names of tables and figures that do not exist, before anything runs.

    Raises:
        StudyError: With the line of the study file.
    """
    try:
        chosen_tables(study.report)
        chosen_figures(study.report)
    except ConfigError as error:
        raise study.error(tuple(error.key.split(".")), error.message) from None


def chosen_tables(settings: ReportConfig) -> list[str]:
    """Names of the tables to make, in the study file's order.

    Raises:
        ConfigError: At "report.tables", if a name is unknown.
    """
    return _chosen("report.tables", settings.tables, TABLES)


def chosen_figures(settings: ReportConfig) -> list[str]:
    """Names of the figures to make, in the study file's order.

    Raises:
        ConfigError: At "report.figures", if a name is unknown.
    """
    return _chosen("report.figures", settings.figures, FIGURES)


def _chosen(key: str, names: list[str] | None, registry: Mapping[str, str]) -> list[str]:
    if names is None:
        return list(registry)
    for name in names:
        if name not in registry:
            hint = nearest(name, registry)
            allowed = ", ".join(registry)
            raise ConfigError(key, f'no "{name}"{hint} (allowed: {allowed})')
    return list(dict.fromkeys(names))
