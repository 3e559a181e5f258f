"""What a face set is: arrays on disk, label sets, readers of foreign layouts."""
