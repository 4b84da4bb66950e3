"""The verb validate: judge points by rules."""
