"""The verb export: bring archived points into a lakehouse table."""
