"""`make bench`: how fast the guard is beside a bare Envoy, Envoy's own filters, and a filter that only copies."""
