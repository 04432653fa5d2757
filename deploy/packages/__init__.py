"""The parts of `deploy/package.py`: one module for each kind of package, and what they share."""
