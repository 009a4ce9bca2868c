#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The wall of a pure core: what its static library may ask of others, and no floating point.

wall.py [FUNCTION] LIBRARY ... -- LIBRARY ...: the first are the core's rooms, the others what they may
link. FUNCTION is one that the core has (the engine's engine_handle where none is named).
Exit status 77 (skipped) where the build is instrumented or there is no objdump."""
import re
import subprocess
import sys

# All that the core needs of libc: memory, strings, and text made in memory.
ALLOWED = {
    "abort", "calloc", "free", "malloc", "posix_memalign", "reallocarray", "realloc", "strdup",
    "bcmp", "memchr", "memcmp", "memcpy", "memmove", "memset", "stpcpy", "strchr", "strcmp", "strlen", "strncmp", "strspn",
    "strrchr", "strcpy", "strnlen", "strpbrk", "bsearch", "qsort",
    "snprintf", "vsnprintf", "strerrorname_np",
    "__snprintf_chk", "__vsnprintf_chk", "__memcpy_chk", "__memset_chk", "__stpcpy_chk",
    "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_", "inet_pton", "inet_ntop",
    "fputs", "fwrite", "stderr", "_Exit",  # the last words of memory_out, in util.h
}
# Scalar floating point: arithmetic, conversions, the x87.
FLOATING = re.compile(
    r"\t(v?(add|sub|mul|div|sqrt|min|max|ucomi|comi|round)s[sd]|v?cvt\w*s[sd]\w*|f(ld|st|add|mul|div|sub|ild|ist)\w*)\b")
# The same from a compiler without such instructions.
SOFT = re.compile(r"^__(add|sub|mul|div|float|fix|trunc|extend)\w*[sdtx]f\w*$")


def run(*arguments):
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout


def symbols(libraries):
    undefined, defined = {}, set()
    member = "?"
    for line in run("nm", *libraries).splitlines():
        if line.endswith(".o:"):
            member = line[:-1]
            continue
        words = line.split()
        if len(words) == 2 and words[0] in "Uw":
            undefined.setdefault(words[1], set()).add(member)
        elif len(words) == 3 and words[1] in "TDBRWVCdbrt":
            defined.add(words[2])
    return undefined, defined


def main():
    middle = sys.argv.index("--")
    rooms, others = sys.argv[1:middle], sys.argv[middle + 1:]
    known = "engine_handle" if rooms[0].endswith(".a") else rooms.pop(0)
    try:
        undefined, defined = symbols(rooms)
        assembly = run("objdump", "-d", "--no-show-raw-insn", *rooms)
    except FileNotFoundError as error:
        print(f"skipped: {error}")
        return 77
    if any(name.startswith(("__asan_", "__ubsan_", "__sanitizer_", "__gcov_")) for name in undefined):
        print("skipped: the build is instrumented")
        return 77
    if len(defined) < 50 or known not in defined:
        print(f"no core with {known}, or nm says nothing of it")
        return 1
    defined |= symbols(others)[1]
    bad = []
    for name in sorted(set(undefined) - defined - ALLOWED):
        bad.append(f"{name} is asked for by {', '.join(sorted(undefined[name]))}")
    bad += [f"{name}: soft floating point" for name in undefined if SOFT.match(name)]
    function = "?"
    for line in assembly.splitlines():
        if line.endswith(">:"):
            function = line.split("<")[1][:-2]
        elif FLOATING.search(line):
            bad.append(f"floating point in {function}: {line.strip()}")
    print("\n".join(bad) or f"{len(defined)} symbols, {len(set(undefined) - defined)} of libc")
    return 1 if bad else 0


sys.exit(main())
