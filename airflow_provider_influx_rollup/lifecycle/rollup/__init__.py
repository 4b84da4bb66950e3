"""The verb rollup: compute the windows of an interval, and commit them."""
