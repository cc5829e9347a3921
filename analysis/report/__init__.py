"""report.html and report.md, the registry of tables and figures, comparison of results folders."""
