"""The verb restore: write archived points back."""
