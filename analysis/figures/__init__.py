"""Every figure, by name. A new one is a function `Results -> Drawing | None` and a line here."""

FIGURES: dict[str, str] = {  # name -> "module:function"; the order is the report's
    "accuracy_macs": "analysis.figures.pareto:draw_accuracy_macs",
    "accuracy_latency": "analysis.figures.pareto:draw_accuracy_latency",
    "accuracy_parameters": "analysis.figures.pareto:draw_accuracy_parameters",
    "accuracy_memory": "analysis.figures.pareto:draw_accuracy_memory",
    "accuracy_energy": "analysis.figures.pareto:draw_accuracy_energy",
    "race": "analysis.figures.race:draw_race",
    "seeds": "analysis.figures.seeds:draw_seeds",
    "scaling": "analysis.figures.scaling:draw_scaling",
    "heatmap": "analysis.figures.heatmap:draw_heatmap",
    "effects": "analysis.figures.effects:draw_effects",
    "cost_parts": "analysis.figures.cost_parts:draw_cost_parts",
    "training_curves": "analysis.figures.training_curves:draw_training_curves",
    "confusion": "analysis.figures.confusion:draw_confusion",
    "confusion_difference": "analysis.figures.confusion_difference:draw_confusion_difference",
    "clips": "analysis.figures.clips:draw_clips",
    "attention": "analysis.figures.attention:draw_attention",
}
