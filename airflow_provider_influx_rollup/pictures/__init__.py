"""Pictures of what the verbs find, with matplotlib, which is an extra."""
