"""Language model engines: embedded, HTTP, transformers, scripted, recorded."""
