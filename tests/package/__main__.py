"""Tests `deploy/package.py` with the binary of the tests: `DOORWARD=path/to/doorward python3 tests/package`.

Nothing is installed on this machine. The last line is `N passed, N failed, N skipped`.
"""

import os
import pathlib
import sys
import unittest

here = str(pathlib.Path(__file__).resolve().parent)
sys.path.insert(0, here)
if not os.access(os.environ.get("DOORWARD", ""), os.X_OK):
    sys.exit("DOORWARD must name the doorward binary")
result = unittest.TextTestRunner(verbosity=2).run(unittest.defaultTestLoader.discover(here))
failed, skipped = len(result.failures) + len(result.errors), len(result.skipped)
print(f"{max(0, result.testsRun - failed - skipped)} passed, {failed} failed, {skipped} skipped")
sys.exit(0 if result.wasSuccessful() else 1)
