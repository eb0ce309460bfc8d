"""The sandbox's own app: its catalogue, its people, and commands to run it. No models."""
