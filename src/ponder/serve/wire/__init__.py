"""OpenAI's wire format, as a server: what comes in is checked, what goes out is written. One file an address."""
