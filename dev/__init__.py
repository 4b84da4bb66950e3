"""Programs for development: servers, the demo, benchmarks."""
