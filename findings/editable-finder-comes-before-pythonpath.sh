#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# An editable install by scikit-build-core 1.1.1 (mode "redirect", its default) puts its finder at
# the front of sys.meta_path, before the one that looks along sys.path. So a second copy of the
# package on PYTHONPATH, the usual way to run another checkout, is never imported, without a word;
# nor is one in the current folder, or one put in front of sys.path. With an editable install by
# setuptools 83.0.0, whose finder comes last, PYTHONPATH wins. One would guess that of both: a
# training run in a copy of the tree runs the tree that is being changed.
#
# Seen: with setuptools the copy, with scikit-build-core the tree, its finder before Python's
# own. Fails when one of the two changes.

set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    scikit-build-core==1.1.1 setuptools==83.0.0 cmake ninja
"$folder/venv/bin/pip" list --disable-pip-version-check 2> /dev/null | grep -E 'scikit.build.core|setuptools'

for backend in setuptools.build_meta scikit_build_core.build; do
    name=by_${backend%%.*}
    tree="$folder/$name"
    mkdir -p "$tree/python/$name"
    echo 'WHERE = "tree"' > "$tree/python/$name/__init__.py"
    cat > "$tree/pyproject.toml" <<END
[build-system]
requires = []
build-backend = "$backend"
[project]
name = "$name"
version = "1"
[tool.setuptools]
package-dir = {"$name" = "python/$name"}
packages = ["$name"]
[tool.scikit-build]
wheel.packages = ["python/$name"]
wheel.cmake = false
END
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-build-isolation -e "$tree"
    cp -r "$tree/python" "$folder/copy-$name"
    sed -i 's/tree/copy/' "$folder/copy-$name/$name/__init__.py"
    PYTHONPATH="$folder/copy-$name" "$folder/venv/bin/python" -c "
import sys
import $name
print('$backend:', $name.WHERE)
finders = [type(f).__module__ + ':' + getattr(f, '__name__', type(f).__name__) for f in sys.meta_path]
print('    finders:', ', '.join(finders))" | tee "$folder/seen-$name"
done
grep -q ': copy' "$folder/seen-by_setuptools" || { echo "setuptools' finder comes first now"; exit 1; }
grep -q ': tree' "$folder/seen-by_scikit_build_core" || { echo "scikit-build-core's comes later now"; exit 1; }
