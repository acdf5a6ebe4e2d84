"""What runs inside a bubblewrap sandbox: the standard library only. Mounted there read-only, and never run in this process."""
