"""The real parts that the demo and the tests run beside the filter: one file a part."""
