"""What happens to a window: one folder for each verb, whose entry has its name, and folders for what verbs share."""
