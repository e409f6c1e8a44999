#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A Debian for 64-bit ARM in a folder, and programs run in it by emulation:
#
#   tools/arm64_tree.sh make TREE              downloads and unpacks it (mmdebstrap, as root)
#   tools/arm64_tree.sh run TREE PROGRAM...    runs a program of it (qemu-aarch64-static)
#
# Which programs the kernel hands to qemu is set up in a namespace of that one command's, so that
# nothing is changed for the rest of the machine: Linux 6.7 or later. QEMU_CPU chooses the processor.

set -euo pipefail

make_tree() {
    local tree=$1
    [[ ! -e $tree ]] || { echo "$tree is there already" >&2 && return 1; }
    # `extract` runs no program of the packages: faster, and enough for an interpreter.
    mmdebstrap --quiet --variant=extract --architectures=arm64 \
        --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
        --include=dash,bash,coreutils,ca-certificates,netbase \
        --include=python3,python3-venv,python3-pip,python3-dev,libstdc++6 \
        --include=libgl1,libglib2.0-0,libsm6,libxext6 \
        bookworm "$tree.part"
    # What the packages' own programs would have made, and how this machine reaches the index.
    mkdir -p "$tree.part/etc/ssl/certs"
    cp -L /etc/ssl/certs/ca-certificates.crt "$tree.part/etc/ssl/certs/"
    for file in /etc/resolv.conf /etc/hosts /etc/pip.conf; do
        [[ ! -f $file ]] || cp -L "$file" "$tree.part$file"
    done
    mv "$tree.part" "$tree"
}

run_in_tree() {
    local tree=$1 qemu
    shift
    [[ -x $tree/usr/bin/env ]] || { echo "$tree is no tree of arm64_tree.sh make" >&2 && return 1; }
    qemu=$(command -v qemu-aarch64-static) || {
        echo "qemu-aarch64-static is missing (Debian: apt-get install qemu-user-static)" >&2
        return 1
    }
    exec unshare --user --map-root-user --mount bash -euc '
        tree=$1 qemu=$2
        shift 2
        mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
        magic="\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00"
        mask="\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff"
        echo ":aarch64:M::$magic:$mask:$qemu:F" >/proc/sys/fs/binfmt_misc/register
        mount --rbind /proc "$tree/proc"
        mount --rbind /dev "$tree/dev"
        exec chroot "$tree" /usr/bin/env --ignore-environment HOME=/root LANG=C.UTF-8 \
            PATH=/usr/bin:/bin ${QEMU_CPU:+QEMU_CPU="$QEMU_CPU"} "$@"
    ' - "$tree" "$qemu" "$@"
}

case "${1-} $#" in
    "make 2") make_tree "$2" ;;
    run\ *) (($# >= 3)) || { echo "usage: $0 run TREE PROGRAM..." >&2 && exit 2; }
        shift && run_in_tree "$@" ;;
    *) echo "usage: $0 make TREE | run TREE PROGRAM..." >&2 && exit 2 ;;
esac
