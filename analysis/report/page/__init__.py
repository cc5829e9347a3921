"""What `report.html` holds besides tables and figures: data for its selectors, cells, views."""
