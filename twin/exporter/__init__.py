"""`twinfeed export`: a datasource's readings as a file or on stdout. It knows only HTTP."""
