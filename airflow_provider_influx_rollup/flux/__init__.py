"""Pure Flux: literals, bound values, generated queries, query plans."""
