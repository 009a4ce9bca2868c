/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of the QUIC node. It must not open anything. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <pathdog_node.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "version.h"

enum {
    OPT_NAME = 256,
    OPT_SOCKET,
    OPT_LISTEN,
    OPT_DIAL,
    OPT_RATE,
    OPT_IDLE,
    OPT_REDIAL,
    OPT_NO_REDIAL,
    OPT_FORBID,
    OPT_FEATURES,
    OPT_PREFER,
    OPT_MAX_IN_FLIGHT,
    OPT_COLUMNS,
    OPT_IDLE_TIMEOUT,
    OPT_KEEP_ALIVE,
    OPT_DIAL_TIMEOUT,
    OPT_BACKLOG,
    OPT_STATS,
    OPT_DURATION,
    OPT_QUIET,
    OPT_RELAY,
    OPT_VIA,
    OPT_MEET,
    OPT_RELAY_SECRET,
    OPT_RELAY_KEEP_ALIVE,
    OPT_HELP,
    OPT_VERSION,
};

static const struct option long_options[] = {
    {"name", required_argument, NULL, OPT_NAME},
    {"socket", required_argument, NULL, OPT_SOCKET},
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"dial", required_argument, NULL, OPT_DIAL},
    {"rate", required_argument, NULL, OPT_RATE},
    {"idle", no_argument, NULL, OPT_IDLE},
    {"redial", no_argument, NULL, OPT_REDIAL},
    {"no-redial", no_argument, NULL, OPT_NO_REDIAL},
    {"forbid-migration", no_argument, NULL, OPT_FORBID},
    {"features", required_argument, NULL, OPT_FEATURES},
    {"prefer", required_argument, NULL, OPT_PREFER},
    {"max-in-flight", required_argument, NULL, OPT_MAX_IN_FLIGHT},
    {"columns", required_argument, NULL, OPT_COLUMNS},
    {"idle-timeout", required_argument, NULL, OPT_IDLE_TIMEOUT},
    {"keep-alive", required_argument, NULL, OPT_KEEP_ALIVE},
    {"dial-timeout", required_argument, NULL, OPT_DIAL_TIMEOUT},
    {"backlog", required_argument, NULL, OPT_BACKLOG},
    {"stats", required_argument, NULL, OPT_STATS},
    {"duration", required_argument, NULL, OPT_DURATION},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {"relay", required_argument, NULL, OPT_RELAY},
    {"via", required_argument, NULL, OPT_VIA},
    {"meet", required_argument, NULL, OPT_MEET},
    {"relay-secret", required_argument, NULL, OPT_RELAY_SECRET},
    {"relay-keep-alive", required_argument, NULL, OPT_RELAY_KEEP_ALIVE},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {0},
};

static const char help_text[] =
    "quic-node: a QUIC node that serves pathdog's node protocol; for tests and demos\n"
    "\n"
    "  --name NAME            this node's name (default: the host's)\n"
    "  --listen ADDR:PORT     accept peers here; [ADDR]:PORT for IPv6\n"
    "  --dial NAME=ADDR:PORT  keep a connection to this peer; may be given several times\n"
    "  --relay NAME=ADDR:PORT a relay that speaks REG/ACK; connections can be moved over it;\n"
    "                         may be given several times\n"
    "  --via NAME             the --dial before it goes through this relay, or \"direct\";\n"
    "                         several are tried in turn\n"
    "  --meet PEER=NAME       PEER may dial this node through this relay\n"
    "  --relay-secret FILE    from which the ids of such meetings are made, at both ends\n"
    "  --relay-keep-alive TIME\n"
    "                         register again when nothing was sent for so long (default 15s;\n"
    "                         0: never)\n"
    "  --socket PATH          serve pathdog here; @NAME for an abstract address\n"
    "  --rate BYTES           checked bytes per second to each peer (default 5000)\n"
    "  --idle                 the same as --rate 0\n"
    "  --backlog BYTES        bytes made but not acknowledged, at most (default 8388608)\n"
    "  --no-redial            do not dial again when a connection is lost\n"
    "  --forbid-migration     announce disable_active_migration to peers\n"
    "  --features LIST        of reconnect,bind,probe,probe_path,push,make_before_break,relay\n"
    "                         (default all, relay only with --relay; \"none\")\n"
    "  --prefer migrate|reconnect\n"
    "  --max-in-flight N      reported to pathdog\n"
    "  --columns LIST         report only these columns (default all this node has)\n"
    "  --idle-timeout TIME    of QUIC (default 30s); the smaller of both ends' is used\n"
    "  --keep-alive TIME      PING when nothing was sent for so long (default 10s; 0: never)\n"
    "  --dial-timeout TIME    handshakes that take longer are given up (default 5s)\n"
    "  --stats FILE           JSON, written at the end and on SIGUSR1\n"
    "  --duration TIME        stop after this time\n"
    "  --quiet                no event lines but \"ready\"\n"
    "  --version              print the version\n"
    "\n"
    "TIME is a number with ms, s or min; a bare number is seconds. The first line on\n"
    "standard output is \"ready …\", when all sockets are bound.\n";

static int complain(const char *option, const char *value, const char *wanted)
{
    fprintf(stderr, "quic-node: --%s %s: %s\n", option, value, wanted);
    return -EINVAL;
}

static int parse_number(const char *text, uint64_t max, uint64_t *ret)
{
    char *end;

    errno = 0;
    if (text[0] < '0' || text[0] > '9')
        return -EINVAL;
    *ret = strtoull(text, &end, 10);
    return errno || *end || *ret > max ? -EINVAL : 0;
}

static int parse_time(const char *text, uint32_t *ret_ms)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"", 1000}, {"s", 1000}, {"ms", 1}, {"min", 60000}};
    unsigned long long n;
    char *end;

    errno = 0;
    if (text[0] < '0' || text[0] > '9')
        return -EINVAL;
    n = strtoull(text, &end, 10);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(end, units[i].unit) == 0 && !errno && n <= INT_MAX / units[i].ms) {
            *ret_ms = (uint32_t)(n * units[i].ms);
            return 0;
        }
    return -EINVAL;
}

static int parse_list(const char *text, int (*add)(const char *word, unsigned *mask), unsigned *ret)
{
    char copy[1024], *save = NULL;
    unsigned mask = 0;

    if (strlen(text) >= sizeof(copy))
        return -EINVAL;
    strcpy(copy, text);
    for (char *word = strtok_r(copy, ", ", &save); word; word = strtok_r(NULL, ", ", &save))
        if (add(word, &mask) < 0)
            return -EINVAL;
    *ret = mask;
    return 0;
}

static int add_feature(const char *word, unsigned *mask)
{
    if (strcmp(word, "reconnect") == 0)
        *mask |= PATHDOG_NODE_RECONNECT;
    else if (strcmp(word, "bind") == 0)
        *mask |= PATHDOG_NODE_BIND;
    else if (strcmp(word, "probe") == 0)
        *mask |= PATHDOG_NODE_PROBE;
    else if (strcmp(word, "probe_path") == 0)
        *mask |= PATHDOG_NODE_PROBE_PATH;
    else if (strcmp(word, "push") == 0)
        *mask |= PATHDOG_NODE_PUSH;
    else if (strcmp(word, "make_before_break") == 0)
        *mask |= PATHDOG_NODE_MAKE_BEFORE_BREAK;
    else if (strcmp(word, "relay") == 0)
        *mask |= PATHDOG_NODE_RELAY;
    else if (strcmp(word, "none") != 0)
        return -EINVAL;
    return 0;
}

static int add_column(const char *word, unsigned *mask)
{
    int column = pathdog_node_column_find(word);

    if (column < 0)
        return column;
    *mask |= PATHDOG_NODE_COLUMN((unsigned)column);
    return 0;
}

static int add_dial(const char *text, struct options *o)
{
    const char *equals = strrchr(text, '=');
    struct dial_option *d;

    if (!equals || equals == text || (size_t)(equals - text) >= sizeof(d->name))
        return complain("dial", text, "NAME=ADDR:PORT is wanted");
    d = realloc(o->dials, (o->n_dials + 1) * sizeof(*d));
    if (!d)
        return -ENOMEM;
    o->dials = d;
    d += o->n_dials;
    *d = (struct dial_option){0};
    memcpy(d->name, text, (size_t)(equals - text));
    if (address_parse(equals + 1, &d->address) < 0 || address_port(&d->address) == 0)
        return complain("dial", text, "no address with a port after the name");
    o->n_dials++;
    return 0;
}

static int parse_numeric(int option, const char *name, const char *value, struct options *o)
{
    uint64_t n = 0;
    int r = 0;

    switch (option) {
    case OPT_RATE:
        r = parse_number(value, 100000000, &o->rate_bytes);
        return r < 0 ? complain(name, value, "bytes per second, 0 to 100000000") : 0;
    case OPT_BACKLOG:
        r = parse_number(value, UINT64_C(1) << 40, &o->backlog_bytes);
        return r < 0 ? complain(name, value, "a number of bytes is wanted") : 0;
    case OPT_MAX_IN_FLIGHT:
        r = parse_number(value, 1000000, &n);
        o->max_in_flight = (unsigned)n;
        return r < 0 ? complain(name, value, "a number up to 1000000 is wanted") : 0;
    case OPT_IDLE_TIMEOUT:
        r = parse_time(value, &o->idle_timeout_ms);
        break;
    case OPT_KEEP_ALIVE:
        r = parse_time(value, &o->keep_alive_ms);
        break;
    case OPT_DIAL_TIMEOUT:
        r = parse_time(value, &o->dial_timeout_ms);
        break;
    case OPT_DURATION:
        r = parse_time(value, &o->duration_ms);
        break;
    case OPT_RELAY_KEEP_ALIVE:
        r = parse_time(value, &o->relay_keep_alive_ms);
        break;
    }
    return r < 0 ? complain(name, value, "a time is wanted: 200ms, 5s, 2min") : 0;
}

static int parse_one(int option, const char *name, const char *value, struct options *o)
{
    const char *wrong;

    switch (option) {
    case OPT_NAME:
        if (!value[0] || strlen(value) >= sizeof(o->name))
            return complain(name, value, "1 to 255 bytes are wanted");
        strcpy(o->name, value);
        return 0;
    case OPT_SOCKET:
        o->socket = value;
        return 0;
    case OPT_STATS:
        o->stats = value;
        return 0;
    case OPT_LISTEN:
        return address_parse(value, &o->listen) < 0
                   ? complain(name, value, "ADDR:PORT or [ADDR]:PORT is wanted")
                   : 0;
    case OPT_DIAL:
        return add_dial(value, o);
    case OPT_IDLE:
        o->rate_bytes = 0;
        return 0;
    case OPT_REDIAL:
    case OPT_NO_REDIAL:
        o->no_redial = option == OPT_NO_REDIAL;
        return 0;
    case OPT_FORBID:
        o->forbid_migration = true;
        return 0;
    case OPT_QUIET:
        o->quiet = true;
        return 0;
    case OPT_RELAY_SECRET:
        o->relay_secret = value;
        return 0;
    case OPT_RELAY:
        wrong = options_relay(value, o);
        return wrong ? complain(name, value, wrong) : 0;
    case OPT_VIA:
        wrong = options_via(value, o);
        return wrong ? complain(name, value, wrong) : 0;
    case OPT_MEET:
        wrong = options_meet(value, o);
        return wrong ? complain(name, value, wrong) : 0;
    case OPT_FEATURES:
        o->features_given = true;
        return parse_list(value, add_feature, &o->features) < 0
                   ? complain(
                         name, value,
                         "of reconnect,bind,probe,probe_path,push,make_before_break,relay, or none")
                   : 0;
    case OPT_COLUMNS:
        return parse_list(value, add_column, &o->columns) < 0
                   ? complain(name, value, "not a list of columns")
                   : 0;
    case OPT_PREFER:
        o->prefer_reconnect = strcmp(value, "reconnect") == 0;
        return o->prefer_reconnect || strcmp(value, "migrate") == 0
                   ? 0
                   : complain(name, value, "migrate or reconnect is wanted");
    default:
        return parse_numeric(option, name, value, o);
    }
}

int options_parse(int argc, char **argv, struct options *ret)
{
    struct options o = {
        .rate_bytes = 5000,
        .backlog_bytes = 8 * 1024 * 1024,
        .idle_timeout_ms = 30000,
        .keep_alive_ms = 10000,
        .dial_timeout_ms = 5000,
        .relay_keep_alive_ms = 15000,
        .features = PATHDOG_NODE_RECONNECT | PATHDOG_NODE_BIND | PATHDOG_NODE_PROBE |
                    PATHDOG_NODE_PROBE_PATH | PATHDOG_NODE_PUSH | PATHDOG_NODE_MAKE_BEFORE_BREAK,
    };
    int option, index = 0, r = 0;

    while (r == 0 && (option = getopt_long(argc, argv, "", long_options, &index)) != -1) {
        if (option == OPT_HELP) {
            fputs(help_text, stdout);
            r = 1;
        } else if (option == OPT_VERSION) {
            puts("quic-node " PATHDOG_VERSION);
            r = 1;
        } else if (option == '?') {
            r = -EINVAL;
        } else {
            r = parse_one(option, long_options[index].name, optarg, &o);
        }
    }
    if (r == 0 && optind < argc) {
        fprintf(stderr, "quic-node: %s: unexpected argument\n", argv[optind]);
        r = -EINVAL;
    }
    if (r == 0 && !o.name[0] && gethostname(o.name, sizeof(o.name) - 1) < 0)
        r = -errno;
    if (r == 0)
        r = options_relays_find(&o);
    if (r == 0 && o.n_relays > 0 && !o.features_given)
        o.features |= PATHDOG_NODE_RELAY;
    if (r == 0 && o.listen.len == 0 && o.n_dials == 0 && o.n_meets == 0) {
        fprintf(stderr, "quic-node: nothing to do: --listen, --dial or --meet is wanted\n");
        r = -EINVAL;
    }
    for (size_t i = 0; r == 0 && i < o.n_dials; i++)
        if (strcmp(o.dials[i].name, o.name) == 0)
            r = complain("dial", o.name, "that is this node");
    if (r != 0)
        options_free(&o);
    else
        *ret = o;
    return r;
}

void options_free(struct options *o)
{
    free(o->dials);
    free(o->relays);
    free(o->meets);
    o->dials = NULL;
    o->relays = NULL;
    o->meets = NULL;
}
