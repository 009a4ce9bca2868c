#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/security.md, "What the loop may wait for", is the whole list: which files of the daemon and
its triggers make calls that can wait, by the linker's symbols.

waits.py SOURCE_ROOT BUILD_ROOT [--print]

A row names files and calls; a file that makes a call which is not in its rows, or a row that names
a call which its file does not make, is an error. Exit status 77 (skipped) where there is no nm, the
objects hold no symbols (LTO), or the build is instrumented."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import calls  # noqa: E402

HEADING = "\n## What the loop may wait for\n"
# Not of the daemon: programs of their own.
OTHERS = ("watchdog/ctl/", "watchdog/check/", "watchdog/replay/", "watchdog/alert/", "watchdog/varlink/", "plugins/exec/helper")
# All that may wait: for another process, a disk, a name service, a lock, a thread.
WAITS = set("""
    write writev pwrite pwritev read readv pread recv recvfrom recvmsg recvmmsg
    send sendto sendmsg sendmmsg connect accept accept4 poll ppoll select epoll_wait
    open openat fopen fdopen creat opendir scandir readdir nftw realpath
    close_range fsync fdatasync syncfs sync ftruncate truncate fallocate rename renameat renameat2
    link linkat unlink unlinkat mkdir mkdirat rmdir symlink chmod fchmod chown fchown
    stat lstat fstat fstatat access faccessat readlink statx
    flock lockf fcntl ioctl
    fgetpwent fgetpwent_r fgetgrent fgetgrent_r
    getpwnam getpwnam_r getpwuid getpwuid_r getgrnam getgrnam_r getgrgid getgrgid_r getgrouplist
    initgroups getaddrinfo gethostbyname getifaddrs
    localtime localtime_r tzset
    pthread_mutex_lock pthread_cond_wait pthread_cond_timedwait pthread_cond_clockwait pthread_join
    pthread_clockjoin_np pthread_timedjoin_np pthread_rwlock_rdlock pthread_rwlock_wrlock
    sem_wait sem_timedwait sem_clockwait waitpid wait4 wait waitid clone fork vfork system popen
    posix_spawn nanosleep clock_nanosleep usleep sleep pause sigwait
    printf fprintf vprintf vfprintf dprintf vdprintf puts fputs fputc putchar fwrite fflush fread
    fgets getline getdelim fscanf perror
    dlopen getrandom
    sd_notify sd_notifyf sd_journal_send sd_journal_sendv sd_journal_print sd_event_run sd_event_wait
    sd_bus_start sd_bus_open sd_bus_open_with_description sd_bus_open_system
    sd_bus_open_system_with_description sd_bus_default sd_bus_default_system sd_bus_call
    sd_bus_call_method sd_bus_get_property sd_bus_get_property_string sd_bus_get_property_trivial
    sd_bus_set_property sd_bus_flush sd_bus_flush_close_unref sd_bus_wait sd_bus_request_name
    sd_bus_release_name sd_bus_add_match sd_bus_match_signal sd_bus_get_unique_name
    sd_bus_get_bus_id sd_bus_get_name_creds sd_bus_list_names
    nl_connect nl_send nl_recv nl_recvmsgs_default nl_send_auto
""".split())
# As glibc calls them where sources are built with _FORTIFY_SOURCE.
FORTIFIED = re.compile(r"^__(\w+?)(_chk|_alias|_2)$")


def plain(name):
    match = FORTIFIED.match(name)
    name = match.group(1) if match else name
    name = "getline" if name == "__getdelim" else name  # so it is where glibc has it inline
    return name[:-2] if name.endswith("64") else name  # open64, fstat64, …


def made(root, build):
    """{file: its calls that can wait}."""
    graph = calls.Graph(root, build)
    objects = [(source, path) for source, path, _ in graph.objects(build)
               if source.startswith(("watchdog/", "plugins/")) and not source.startswith(OTHERS)]
    _, used = graph.symbols([path for _, path in objects])
    if any(name.startswith(("__asan_", "__ubsan_", "__sanitizer_", "__gcov_"))
           for names in used.values() for name in names):
        return None
    found = {}
    for source, path in objects:
        names = {plain(name) for name in used[path]} & WAITS
        if names:
            found.setdefault(source, set()).update(names)
    return found


def listed(root):
    with open(os.path.join(root, "docs/security.md"), encoding="utf-8") as file:
        text = file.read().split(HEADING)[1].split("\n## ")[0]
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
        if not line.startswith("| `") or len(cells) < 3:
            continue
        for path in re.findall(r"`([^`]+)`", cells[0]):
            found.setdefault(path, set()).update(re.findall(r"`([^`]+)`", cells[1]))
        if len(cells[2].split()) < 3:
            found.setdefault(f"{cells[0]}: says no reason", set())
    return found


def check(root, build, *options):
    try:
        found = made(os.path.realpath(root), os.path.realpath(build))
    except FileNotFoundError as error:
        print(f"skipped: {error}")
        return 77
    if not found:
        print("skipped: no object holds a symbol, or the build is instrumented")
        return 77
    if "--print" in options:
        for path, names in sorted(found.items()):
            print(f"| `{path}` | {', '.join(f'`{name}`' for name in sorted(names))} | |")
        return 0
    said = listed(root)
    wrong = []
    everywhere = said.pop("*", set())
    for path in sorted(set(found) | set(said)):
        more, less = found.get(path, set()), said.get(path, set())
        wrong += [f"{path} calls {name}, which can wait: the section \"What the loop may wait for\" of "
                  "docs/security.md must say why it does not hold up the loop"
                  for name in sorted(more - less - everywhere)]
        wrong += [f"docs/security.md: {path} does not call {name}" for name in sorted(less - more)]
        if not more and not less:
            wrong.append(path)
    print("\n".join(wrong) or f"{len(found)} files, {sum(map(len, found.values()))} calls")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(check(*sys.argv[1:]))
