"""The verbs: one folder for each, whose entry has its name, and folders for what verbs share."""
