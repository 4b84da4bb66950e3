"""The verb reconcile: find the windows whose rows disagree with the source, and repair them."""
