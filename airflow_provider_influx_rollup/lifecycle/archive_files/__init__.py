"""Documents of an archive that several verbs read."""
