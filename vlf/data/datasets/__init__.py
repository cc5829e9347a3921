"""One file a dataset, named in DATASETS; `listed_clips` holds what datasets of files share."""
