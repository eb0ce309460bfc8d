"""What a store developer adds, smallest first. The README shows these files, and the tests run them."""
