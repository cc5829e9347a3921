"""Records -> statistics, tables, figures, report. Never imports torch or a model."""
