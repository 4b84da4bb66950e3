"""The steps that a verb may ask of a driver, as typed values."""
