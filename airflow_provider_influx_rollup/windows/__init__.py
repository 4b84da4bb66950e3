"""Pure time: intervals, durations, grids, calendars, coverage."""
