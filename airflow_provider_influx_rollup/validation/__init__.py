"""Rules for raw points: what each one wants to see, and which points break it. No Airflow, no I/O, no clock."""
