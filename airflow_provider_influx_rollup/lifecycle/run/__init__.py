"""What every run has: its clock, its facts, the errors of its windows."""
