"""Hold requests back from a server that is down or has too much to do, for all tasks of this machine together."""
