"""The write path: HTTP routes, the gate with its checks, reactions, moderation commands."""
