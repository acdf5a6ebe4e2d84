"""The gateway: ponder behind any OpenAI client, a page that shows it thinking, and the papers as pages."""
