# SPDX-License-Identifier: Apache-2.0
"""A file of text as a C string, without its comments: text-as-c.py NAME FILE"""
import json
import re
import sys

name, path = sys.argv[1:]
with open(path, encoding="utf-8") as file:
    lines = re.sub(r"/\*.*?\*/\n?", "", file.read(), flags=re.S).splitlines()
sys.stdout.reconfigure(encoding="utf-8")
print(f"/* Made of {path.rpartition('/')[2]}. */\nextern const char {name}[];\nconst char {name}[] =")
print("\n".join(json.dumps(line.strip() + "\n", ensure_ascii=False) for line in lines) + ";")
