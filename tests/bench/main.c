/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of pathdog-bench; tests/bench/run is its user. */
#include "bench.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct options given = {
    .log = "journal",
    .log_level = "info",
    .journald = "works",
    .triggers = "srtt",
    .storm = "route",
    .uplinks = 1,
    .peers = 1,
    .keys = 64,
    .rounds = 10,
    .interval_ms = 5000,
    .seconds = 10,
    .name_bytes = 24,
    .columns = 20,
    .addresses = true,
};
const struct options *const options = &given;

static const struct {
    const char *name;
    int (*run)(void);
} benches[] = {
    {"reaction", bench_reaction}, {"sampling", bench_sampling}, {"memory", bench_memory},
    {"idle", bench_idle},         {"entry", bench_entry},       {"late", bench_late},
    {"saving", bench_saving},     {"clients", bench_clients},   {"storm", bench_storm},
    {"together", bench_together}, {"scrape", bench_scrape},
};

static const char help_text[] =
    "usage: pathdog-bench reaction|sampling|memory|idle|entry|late|saving|clients|storm|together|"
    "scrape OPTION...\n"
    "\n"
    "  --daemon PATH      pathdog\n"
    "  --plugins DIR      its triggers\n"
    "  --directory DIR    for sockets and configs\n"
    "  --peers N          connections of the node\n"
    "  --keys N           distinct remote addresses among them (default 64)\n"
    "  --rounds N         flips, or rounds of samples (default 10)\n"
    "  --idle MS          pause before each flip\n"
    "  --interval MS      sample_interval (default 5000)\n"
    "  --seconds N        of idleness, or until a storm's memory must be back (default 10)\n"
    "  --triggers LIST    default srtt\n"
    "  --storm BY         what begins a storm: route or tunnel (storm, default route)\n"
    "  --uplinks N        1 or 2, with a section each (together, default 1)\n"
    "  --log WHERE        pathdog's --log; standard output is /dev/null (default journal)\n"
    "  --log-level LEVEL  pathdog's --log-level (default info)\n"
    "  --journald HOW     works, slow, stands or gone: the stand-in for journald (late)\n"
    "  --records N        made a second, beside those of flips (late)\n"
    "  --columns N        of a row: the first N (default 20; there are 24)\n"
    "  --name-bytes N     length of a peer's name, 8 to 80 (default 24)\n"
    "  --no-addresses     peers without local and remote\n"
    "  --preload LIBRARY  count-malloc.so: count allocations instead of time\n"
    "  --pause            say the daemon's pid and wait 3 s before measuring\n"
    "  --verbose\n"
    "\n"
    "Prints samples as JSON, one object a line. Needs root, for a network namespace.\n";

static uint32_t number(const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (end == text || *end || value > 100000000)
        die("\"%s\" is not a number that makes sense here", text);
    return (uint32_t)value;
}

static void option_take(int option, const char *value)
{
    switch (option) {
    case 'd':
        given.daemon = value;
        break;
    case 'l':
        given.plugins = value;
        break;
    case 'D':
        given.directory = value;
        break;
    case 'p':
        given.peers = number(value);
        break;
    case 'k':
        given.keys = number(value);
        break;
    case 'r':
        given.rounds = number(value);
        break;
    case 'i':
        given.idle_ms = number(value);
        break;
    case 'I':
        given.interval_ms = number(value);
        break;
    case 's':
        given.seconds = number(value);
        break;
    case 't':
        given.triggers = value;
        break;
    case 'S':
        given.storm = value;
        break;
    case 'u':
        given.uplinks = number(value);
        break;
    case 'L':
        given.log = value;
        break;
    case 'E':
        given.log_level = value;
        break;
    case 'j':
        given.journald = value;
        break;
    case 'R':
        given.records = number(value);
        break;
    case 'n':
        given.name_bytes = number(value);
        break;
    case 'C':
        given.columns = number(value);
        break;
    case 'A':
        given.addresses = false;
        break;
    case 'P':
        given.preload = value;
        break;
    case 'w':
        given.pause = true;
        break;
    case 'v':
        given.verbose = true;
        break;
    case 'h':
        fputs(help_text, stdout);
        exit(0);
    default:
        exit(2);
    }
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"daemon", required_argument, NULL, 'd'},
        {"plugins", required_argument, NULL, 'l'},
        {"directory", required_argument, NULL, 'D'},
        {"peers", required_argument, NULL, 'p'},
        {"keys", required_argument, NULL, 'k'},
        {"rounds", required_argument, NULL, 'r'},
        {"idle", required_argument, NULL, 'i'},
        {"interval", required_argument, NULL, 'I'},
        {"seconds", required_argument, NULL, 's'},
        {"triggers", required_argument, NULL, 't'},
        {"storm", required_argument, NULL, 'S'},
        {"uplinks", required_argument, NULL, 'u'},
        {"log", required_argument, NULL, 'L'},
        {"log-level", required_argument, NULL, 'E'},
        {"journald", required_argument, NULL, 'j'},
        {"records", required_argument, NULL, 'R'},
        {"name-bytes", required_argument, NULL, 'n'},
        {"columns", required_argument, NULL, 'C'},
        {"no-addresses", no_argument, NULL, 'A'},
        {"preload", required_argument, NULL, 'P'},
        {"pause", no_argument, NULL, 'w'},
        {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        option_take(option, optarg);
    if (optind != argc - 1 || !given.daemon || !given.plugins || !given.directory) {
        fputs(help_text, stderr);
        return 2;
    }
    if (!given.keys || !given.rounds || given.name_bytes < 8 || given.name_bytes > 80 ||
        given.columns > COLUMNS_MAX)
        die("--keys, --rounds, --name-bytes or --columns is out of range");
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof(benches) / sizeof(benches[0]); i++)
        if (!strcmp(benches[i].name, argv[optind]))
            return benches[i].run();
    die("there is no bench \"%s\"", argv[optind]);
}
