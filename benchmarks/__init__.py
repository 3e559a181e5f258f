"""What prints each figure that the project quotes. Ratios are of one run on one machine."""
