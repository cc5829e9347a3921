"""Data of `report.html` besides tables and figures: selectors, cells, views."""
