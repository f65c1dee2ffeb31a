"""Scripts that train the packaged weights, and the data that was written for them. Not part of the wheel."""
