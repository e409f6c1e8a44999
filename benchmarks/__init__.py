# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures ffgan against every other engine that is installed: `python -m benchmarks`.

From the repository's root, with ffgan installed. `pip install '.[bench]'` installs the others;
plain dlib is compiled from the source that ffgan's own build fetched. The other benchmark,
`benchmarks/loader.py`, measures the data set.
"""
