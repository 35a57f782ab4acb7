"""Networks with matrices of lower rank: less weights, and fewer crossbars, for some accuracy."""
