"""Runs the tests with real portals: `DOORWARD=path/to/doorward python3 tests/real`.

The last line is `N passed, N failed, N skipped`; REAL_MIB makes the large file smaller.
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
# an error while a class is set up counts as failed, without its tests having run
print(f"{max(0, result.testsRun - failed - skipped)} passed, {failed} failed, {skipped} skipped")
sys.exit(0 if result.wasSuccessful() else 1)
