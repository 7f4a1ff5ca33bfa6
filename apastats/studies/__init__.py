"""``study.toml`` -> the whole analysis: schema, pipeline, the folder of a finished study."""
