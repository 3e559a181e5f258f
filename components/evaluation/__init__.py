"""What `evaluate` looks at beyond the metrics: slices, Grad-CAM, and the report's pages."""
