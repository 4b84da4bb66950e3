"""Parts of every run: its clock, its facts, the errors of its windows."""
