# SPDX-License-Identifier: GPL-3.0-or-later
#
# Toolchain file: compiles for 64-bit ARM on another machine, with Debian's g++-aarch64-linux-gnu.
# tools/wheels.sh uses it, and shows what else a cross-build has to be given.

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
# GCC remarks on each function of dlib's that was passed otherwise before GCC 10.
set(CMAKE_CXX_FLAGS_INIT -Wno-psabi)
# Libraries of the building machine are for another processor; programs are those to run.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
