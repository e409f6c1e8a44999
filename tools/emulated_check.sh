#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Do other processors make the same faces, scores, sizes and files? Emulates them (Debian:
# qemu-user-static) and compares digests with tests/fixtures/golden.json and those in
# tests/support/same_bytes.py:
#
#   tools/emulated_check.sh [--faces N] x86-64 PYTHON         an installed ffgan, with SSE4.2, with
#                                                             AVX2, and with neither (refused)
#   tools/emulated_check.sh [--faces N] x86-64 PYTHON WHEEL   README's first command with a wheel,
#                                                             then the same
#   tools/emulated_check.sh [--faces N] aarch64 TREE WHEEL    likewise, with NEON, in a tree that
#                                                             `tools/arm64_tree.sh make TREE` made
#
# N is 1 or 64.

set -euo pipefail
repository=$(realpath "$(dirname "$0")/..")
usage() { sed -n '8,14s/^# \{0,3\}//p' "$0" >&2 && exit 2; }
step() { printf '\n=== %s\n' "$*"; }

faces=1
if [[ ${1-} == --faces ]]; then faces=${2:?} && shift 2; fi
(($# >= 2)) || usage

emulate() { # PROCESSOR PROGRAM...
    # It warns of what it cannot emulate, of which nothing is used.
    qemu-x86_64-static -cpu "$@" 2> >(grep -v "TCG doesn't support requested feature" >&2)
}

golden() { # PROCESSOR INSTRUCTIONS
    step "x86-64, $1"
    time emulate "$1" "$python" "$repository/tools/golden_hashes.py" --check --faces "$faces" |
        tee "$scratch/said"
    grep -q " with $2\$" "$scratch/said"
    emulate "$1" "$python" "$repository/tests/support/same_bytes.py"
    echo "sizes, files and training images as expected"
}

x86_64() {
    local wheel=${1-} error
    if [[ $wheel ]]; then
        step "README's first command with the wheel, x86-64, Nehalem"
        wheel=$(realpath "$wheel")
        cd "$scratch"
        # The programs that it starts itself are not emulated.
        emulate Nehalem "$python" -m venv .venv
        python=$scratch/.venv/bin/python
        emulate Nehalem "$python" -m pip install --quiet "$wheel"
        emulate Nehalem "$python" -m ffgan gen 10
        emulate Nehalem "$python" -m ffgan info
    fi
    golden Nehalem sse4.2
    golden Haswell avx2

    step "x86-64, Core 2: refused in a line"
    if error=$(emulate core2duo "$python" -c 'import ffgan' 2>&1); then
        echo "ffgan was imported" && return 1
    fi
    tail -n 1 <<<"$error"
    [[ $(tail -n 1 <<<"$error") == ImportError:\ this\ build\ of\ ffgan* ]]
}

aarch64() {
    local tree=$1 wheel=$2 first folder
    export QEMU_CPU=${QEMU_CPU:-cortex-a57} # plain ARMv8-A
    step "README's first command with the wheel, aarch64"
    first=$(sed -n 's/^    \(.*venv.*pip install \.\( .*\)\?\)$/\1/p' "$repository/README.md")
    first=${first/pip install . /pip install "$(basename "$wheel")" }
    echo "$first"
    folder=$tree/srv/ffgan
    rm -rf "$folder" && mkdir -p "$folder/tools" "$folder/tests/"{fixtures,support}
    cp "$wheel" "$folder"
    cp "$repository/tools/golden_hashes.py" "$folder/tools"
    cp "$repository/tests/fixtures/golden.json" "$folder/tests/fixtures"
    cp "$repository/tests/support/same_bytes.py" "$folder/tests/support"
    in_tree() { "$repository/tools/arm64_tree.sh" run "$tree" bash -euc "cd /srv/ffgan && $1"; }
    time in_tree "$first"
    in_tree ".venv/bin/python -m ffgan info"
    step "aarch64, golden digests"
    time in_tree ".venv/bin/python tools/golden_hashes.py --check --faces $faces"
    in_tree ".venv/bin/python tests/support/same_bytes.py"
    echo "sizes, files and training images as expected"
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
case "$1 $#" in
    "x86-64 2" | "x86-64 3")
        python=$(command -v "$2") && x86_64 "${@:3}" ;;
    "aarch64 3") aarch64 "$(realpath "$2")" "$(realpath "$3")" ;;
    *) usage ;;
esac
