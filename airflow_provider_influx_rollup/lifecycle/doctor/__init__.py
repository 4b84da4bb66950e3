"""The verb doctor: what is wrong with pipelines and buckets."""
