"""Servers that speak Google Cloud Storage and Azure Blob Storage, for tests: fake-gcs-server and Azurite."""
