"""Every table, by name. A new one is a function `Results -> Table | None` and a line here."""

TABLES: dict[str, str] = {  # name -> "module:function"; the order is the report's
    "claims": "analysis.tables.claims:claims_table",
    "main": "analysis.tables.main:main_table",
    "tuning": "analysis.tables.tuning:tuning_table",
    "power": "analysis.tables.power:power_table",
    "effects": "analysis.tables.effects:effects_table",
    "clips": "analysis.tables.clips:clips_table",
    "ranks": "analysis.tables.ranks:ranks_table",
    "classes": "analysis.tables.classes:classes_table",
    "class_changes": "analysis.tables.classes:class_changes_table",
    "scaling": "analysis.tables.scaling:scaling_table",
    "cost": "analysis.tables.cost:cost_table",
    "devices": "analysis.tables.devices:devices_table",
    "modes": "analysis.tables.modes:modes_table",
    "parts": "analysis.tables.parts:parts_table",
    "peak": "analysis.tables.peak:peak_table",
    "throughput": "analysis.tables.throughput:throughput_table",
    "published": "analysis.tables.published:published_table",
    "status": "analysis.tables.status:status_table",
}
