"""What a verb may ask a driver for, as typed values."""
