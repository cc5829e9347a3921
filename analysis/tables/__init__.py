"""Every table, by name. A new table is a function `Results -> Table` and a line here."""

TABLES: dict[str, str] = {  # name -> "module:function"; the order is the report's
    "main": "analysis.tables.main:main_table",
    "cost": "analysis.tables.cost:cost_table",
    "parts": "analysis.tables.parts:parts_table",
    "status": "analysis.tables.status:status_table",
}
