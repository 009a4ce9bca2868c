/* SPDX-License-Identifier: Apache-2.0 */
/* pathdog-node-check: plays pathdog against a node and says what does not conform. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

#include "../util/clock.h"
#include "../util/format.h"
#include "../util/new-file.h"
#include "../util/printable.h"
#include "checker.h"
#include "version.h"

#define TIMEOUT_S     10
#define TIMEOUT_MAX_S 600

enum exit_status { EXIT_CONFORMS, EXIT_FAULTS, EXIT_ARGUMENTS, EXIT_NO_NODE };

struct arguments {
    const char *socket, *trace, *only;
    uint64_t timeout_s;
    bool moves, reconnects, json, leave;
};

static void print_help(void)
{
    puts(
        "pathdog-node-check [OPTION…] SOCKET\n"
        "Plays pathdog against the node at SOCKET (a path, or @NAME) and checks its messages\n"
        "against the node protocol, one line for each check. Stop pathdog first: a node has one\n"
        "client, and a newer one replaces it.\n\n"
        "Nothing is moved and no connection is closed, unless one of these is given:\n"
        "  --moves            also migrate one connection\n"
        "  --reconnects       also close one connection and have it dialed again\n\n"
        "  --only NAME,…      only these checks\n"
        "  --timeout SECONDS  time to wait for each answer (10; allowed 1 to 600);\n"
        "                     all checks end after 30 times that time\n"
        "  --json             print one JSON object at the end\n"
        "  --trace FILE       write all lines sent and received to FILE (-: to standard error)\n"
        "  --list             print the checks\n"
        "  --version          print the version\n"
        "  --help             print this help\n\n"
        "Exit status: 0 the node conforms, 1 something fails, 2 bad arguments, 3 no node answers.");
}

static int take_timeout(const char *text, uint64_t *ret_s, char **ret_error)
{
    char *end;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || value < 1 || value > TIMEOUT_MAX_S)
        return error_set(ret_error, -EINVAL, "--timeout %s: allowed is 1 to %d seconds", text,
                         TIMEOUT_MAX_S);
    *ret_s = value;
    return 0;
}

static int arguments_parse(int argc, char **argv, struct arguments *ret, char **ret_error)
{
    static const struct option options[] = {
        {"moves", no_argument, NULL, 'm'},         {"reconnects", no_argument, NULL, 'r'},
        {"timeout", required_argument, NULL, 't'}, {"json", no_argument, NULL, 'j'},
        {"trace", required_argument, NULL, 'T'},   {"list", no_argument, NULL, 'l'},
        {"only", required_argument, NULL, 'o'},    {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},          {NULL},
    };
    int option;

    *ret = (struct arguments){.timeout_s = TIMEOUT_S};
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        switch (option) {
        case 'm':
            ret->moves = true;
            break;
        case 'r':
            ret->reconnects = true;
            break;
        case 't':
            if (take_timeout(optarg, &ret->timeout_s, ret_error) < 0)
                return -EINVAL;
            break;
        case 'j':
            ret->json = true;
            break;
        case 'T':
            ret->trace = optarg;
            break;
        case 'o':
            ret->only = optarg;
            break;
        case 'l':
            report_list(stdout);
            ret->leave = true;
            return 0;
        case 'v':
            puts("pathdog-node-check " PATHDOG_VERSION);
            ret->leave = true;
            return 0;
        case 'h':
            print_help();
            ret->leave = true;
            return 0;
        case ':':
            return error_set(ret_error, -EINVAL, "%s needs a value; see --help", argv[optind - 1]);
        default:
            return error_set(ret_error, -EINVAL, "unknown option %s; see --help", argv[optind - 1]);
        }
    }
    if (argc - optind != 1)
        return error_set(ret_error, -EINVAL, "%s; see --help",
                         argc == optind ? "the argument SOCKET is missing"
                                        : "too many arguments: one SOCKET is allowed");
    ret->socket = argv[optind];
    return 0;
}

/* What is seen in everything that the node sends needs these. */
static bool shows_all(void (*step)(struct checker *))
{
    return step == checks_hello || step == checks_snapshots || step == checks_summary ||
           step == checks_requests;
}

static const struct step {
    enum check first, last; /* what it settles */
    void (*run)(struct checker *checker);
} steps[] = {
    {CHECK_SOCKET_MODE, CHECK_SOCKET_RENAME, checks_socket},
    {CHECK_HELLO, CHECK_EARLY_REQUEST, checks_hello},
    {CHECK_SNAPSHOT, CHECK_SNAPSHOT_AGAIN, checks_snapshots},
    {CHECK_SUMMARY, CHECK_SUMMARY_MANY, checks_summary},
    {CHECK_PROBE, CHECK_NULL_MEMBERS, checks_requests},
    {CHECK_IGNORED, CHECK_BAD_LINES, checks_framing},
    {CHECK_NEWER_CLIENT, CHECK_NEWER_CLIENT, check_newer_client},
    {CHECK_HALF_LINE, CHECK_HALF_LINE, check_half_line},
    {CHECK_OUTPUT_BUFFER, CHECK_OUTPUT_BUFFER, check_output_buffer},
    {CHECK_SLOW_READER, CHECK_SLOW_READER, check_slow_reader},
    {CHECK_MOVE, CHECK_MOVE_SAMPLES, checks_move},
    {CHECK_CANCEL, CHECK_CANCEL, checks_cancel},
    {CHECK_RECONNECT, CHECK_RECONNECT_ORDER, checks_reconnect},
    {CHECK_KEEP_OLD, CHECK_KEEP_OLD, checks_keep_old},
};

static bool is_wanted(const struct report *report, const struct step *step)
{
    for (int check = (int)step->first; check <= (int)step->last; check++)
        if (report_wants(report, (enum check)check))
            return true;
    for (int check = CHECK_FIRST_SEEN; check < CHECK_COUNT && shows_all(step->run); check++)
        if (report_wants(report, (enum check)check))
            return true;
    return false;
}

static void run_checks(struct checker *checker)
{
    CLEANUP_FREE char *why = NULL;

    checker->end_us = clock_us(CLOCK_MONOTONIC) + CHECKS_TIMEOUTS * checker->timeout_us;
    for (size_t i = 0; i < ARRAY_SIZE(steps) && !checker->gone; i++)
        if (is_wanted(&checker->report, &steps[i]))
            steps[i].run(checker);
    checker->report.incomplete |= checker->gone != NULL;
    why = checker->gone ? string_format("not tried: %s", checker->gone)
                        : string_copy("not tried: a check before it failed");
    report_finish(&checker->report, why);
}

/* What the whole was, and where to read on. */
static void print_sum(const struct checker *checker)
{
    uint64_t failed = report_count(&checker->report, STATUS_FAIL);

    printf("# %s%s%s: %" PRIu64 " ok, %" PRIu64 " failed, %" PRIu64 " skipped: %s\n",
           checker->node ? checker->node : "the node", checker->implementation ? ", " : "",
           checker->implementation ? checker->implementation : "",
           report_count(&checker->report, STATUS_OK), failed,
           report_count(&checker->report, STATUS_SKIP),
           report_conforms(&checker->report) ? "the node conforms" : "the node does not conform");
    if (checker->report.incomplete)
        printf("# not all was tried: %s\n",
               checker->gone ? checker->gone : "a connection was not answered as it should be");
    if (checker->report.results[CHECK_KEPT_OPEN].faults)
        puts("# If pathdog runs beside this node, stop it first: a newer client replaces the older "
             "one.");
}

/* What it names is foreign, and standard error may be a terminal. */
__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...)
{
    CLEANUP_FREE char *text = NULL, *shown = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = string_vformat(format, arguments);
    va_end(arguments);
    shown = text_shown(text);
    fprintf(stderr, "pathdog-node-check: %s\n", shown);
}

static int check_node(struct checker *checker, const struct arguments *arguments)
{
    enum exit_status status;
    char reason[256];
    uint32_t uid;
    int fd = endpoint_connect(&checker->endpoint, &uid, reason, sizeof(reason));

    if (fd < 0 && fd != -EAGAIN) {
        complain("%s: %s", arguments->socket, reason);
        return EXIT_NO_NODE;
    }
    if (fd >= 0)
        close(fd);
    run_checks(checker);
    if (arguments->json)
        report_json(&checker->report, stdout, arguments->socket, checker->node,
                    checker->implementation);
    else
        print_sum(checker);
    status = report_conforms(&checker->report) ? EXIT_CONFORMS : EXIT_FAULTS;
    free(checker->boot);
    free(checker->node);
    free(checker->implementation);
    free(checker->gone);
    book_clear(&checker->book);
    report_clear(&checker->report);
    return status;
}

static bool is_trace(const char *bytes, size_t n)
{
    return (*bytes == '<' || *bytes == '>') && (n < 2 || bytes[1] == ' ');
}

/* A file is made anew; what is none, and a standard stream by another name, is written to.
 * Returns a descriptor, or -errno and a sentence without the path. */
static int trace_file(const char *path, char **ret_error)
{
    static const struct new_file_rule rule = {0640, "a trace", is_trace};
    struct stat there, stream;
    struct new_file file;
    int fd, r;

    if (stat(path, &there) == 0) {
        for (fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
            if (fstat(fd, &stream) == 0 && stream.st_dev == there.st_dev &&
                stream.st_ino == there.st_ino)
                return fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (!S_ISREG(there.st_mode)) {
            fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
            return fd < 0 ? error_set(ret_error, -errno, "%s", strerrordesc_np(errno)) : fd;
        }
    }
    r = new_file_make(&file, path, &rule, ret_error);
    if (r >= 0)
        r = new_file_place(&file, ret_error);
    fd = file.fd;
    file.fd = r < 0 ? fd : -1;
    new_file_close(&file);
    return r < 0 ? r : fd;
}

static int trace_open(const char *path, FILE **ret_trace)
{
    CLEANUP_FREE char *error = NULL;
    int fd;

    *ret_trace = path && string_equal(path, "-") ? stderr : NULL;
    if (!path || *ret_trace)
        return 0;
    fd = trace_file(path, &error);
    if (fd < 0) {
        complain("--trace %s: %s", path, error ? error : strerrordesc_np(errno));
        return -EINVAL;
    }
    *ret_trace = memory_check(fdopen(fd, "w"));
    return 0;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    struct checker checker = {0};
    CLEANUP_FREE char *error = NULL;
    int status;

    if (arguments_parse(argc, argv, &arguments, &error) < 0) {
        complain("%s", error);
        return EXIT_ARGUMENTS;
    }
    if (arguments.leave || !arguments.socket)
        return EXIT_CONFORMS;
    checker.path = arguments.socket;
    checker.timeout_us = arguments.timeout_s * 1000000;
    checker.moves = arguments.moves;
    checker.reconnects = arguments.reconnects;
    checker.progress = isatty(STDERR_FILENO);
    checker.report.out = arguments.json ? NULL : stdout;
    if (arguments.only && report_choose(&checker.report, arguments.only, &error) < 0) {
        complain("--only %s: unknown check; see --list", error);
        return EXIT_ARGUMENTS;
    }
    if (endpoint_set(&checker.endpoint, arguments.socket, *arguments.socket == '@' ? "0" : NULL) <
        0) {
        complain("%s: a socket's path has 1 to 107 bytes", arguments.socket);
        return EXIT_ARGUMENTS;
    }
    checker.endpoint.any_user = true; /* whoever serves it is what is to be looked at */
    if (trace_open(arguments.trace, &checker.trace) < 0)
        return EXIT_ARGUMENTS;
    checker.trace_tty = checker.trace && isatty(fileno(checker.trace));
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* RLIMIT_FSIZE: the write fails */
    status = check_node(&checker, &arguments);
    if (checker.trace && checker.trace != stderr)
        fclose(checker.trace);
    return status;
}
