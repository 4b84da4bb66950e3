"""What stages read and write, for OpenLineage."""
