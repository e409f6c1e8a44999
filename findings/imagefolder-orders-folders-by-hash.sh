#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Where a split has several folders with a metadata.jsonl each, `load_dataset("imagefolder", ...)` of
# datasets 5.2.0 puts the rows in an order that differs from process to process: the metadata files
# are kept in a Python set, whose order follows from hashes of their paths, and these from
# PYTHONHASHSEED, which is random. So `train_test_split(seed=0)` or `ds[0]` mean other pictures in
# the next process that loads the folder anew (a cache keeps the order of the first). One would
# guess the order of names: the same folders without metadata come in it.
#
# Seen: 8 folders of one picture in another order for nearly each of PYTHONHASHSEED 1 to 6, but in
# the order of names for each without metadata. Fails when one of the two changes.

set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check datasets==5.2.0 pillow==13.0.0
cat > "$folder/make.py" <<'END'
import json
import sys
from pathlib import Path

from PIL import Image

for number in range(8):
    folder = Path(sys.argv[1], "train", f"{number:05d}")
    folder.mkdir(parents=True)
    Image.new("RGB", (8, 8), (number, 0, 0)).save(folder / f"{number:05d}.png")
    if sys.argv[2] == "metadata":
        line = json.dumps({"file_name": f"{number:05d}.png", "number": number})
        (folder / "metadata.jsonl").write_text(line + "\n")
END
cat > "$folder/load.py" <<'END'
import sys

import datasets

datasets.disable_progress_bars()
rows = datasets.load_dataset("imagefolder", data_dir=sys.argv[1], split="train", cache_dir=sys.argv[2])
print([row["image"].getpixel((0, 0))[0] for row in rows])
END
export HF_HOME="$folder/hub" HF_HUB_OFFLINE=1
"$folder/venv/bin/python" -c 'import datasets; print("datasets", datasets.__version__)'
for kind in metadata none; do
    "$folder/venv/bin/python" "$folder/make.py" "$folder/$kind" "$kind"
    for seed in 1 2 3 4 5 6; do
        PYTHONHASHSEED=$seed "$folder/venv/bin/python" "$folder/load.py" \
            "$folder/$kind" "$folder/cache-$kind-$seed" 2> "$folder/errors" |
            tee -a "$folder/orders-$kind" || { cat "$folder/errors"; exit 1; }
    done
    echo "$kind: $(sort -u "$folder/orders-$kind" | wc -l) orders of 6 processes"
done
[ "$(sort -u "$folder/orders-metadata" | wc -l)" -gt 1 ] || { echo "the order is the same now"; exit 1; }
[ "$(sort -u "$folder/orders-none")" = "[0, 1, 2, 3, 4, 5, 6, 7]" ] || { echo "without metadata the order differs now"; exit 1; }
