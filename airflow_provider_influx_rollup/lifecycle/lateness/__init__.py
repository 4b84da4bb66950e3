"""The verb lateness: how late points come."""
