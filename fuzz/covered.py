"""Print what share of some files' lines was run, from an export of llvm-cov; fail where one is below the least.

python covered.py LEAST FILE ... < export.json
"""

import json
import sys

least, wanted = float(sys.argv[1]), sys.argv[2:]
files = json.load(sys.stdin)["data"][0]["files"]
shares = {file["filename"]: file["summary"]["lines"]["percent"] for file in files}
found = {name: max(share for path, share in shares.items() if path.endswith(name)) for name in wanted}
for name, share in found.items():
    print(f"{name:28} {share:5.1f} % of lines")
sys.exit(min(found.values()) < least)
