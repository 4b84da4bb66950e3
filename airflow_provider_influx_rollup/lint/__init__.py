"""Find what is wrong with a Flux script before it is deployed: rules, findings, and how they are shown."""
