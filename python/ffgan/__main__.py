# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m ffgan`."""

import sys

from ffgan.cli import main

sys.exit(main())
