"""What the windows page of Airflow's UI shows."""
