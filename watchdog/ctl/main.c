/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pathdogctl: words of the command line → a command. Options may stand
 * anywhere; which of them a command takes stands in its table.
 */
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "../util/nearest.h"
#include "../util/utf8.h"
#include "../util/util.h"
#include "channel.h"
#include "ctl.h"
#include "version.h"

enum option_code {
    OPTION_SOCKET = 's',
    OPTION_JSON = 'j',
    OPTION_HELP = 'h',
    OPTION_FOLLOW = 'f',
    OPTION_LIMIT = 'n',
    OPTION_OUTPUT = 'o',
    OPTION_VERSION = 256,
    OPTION_BY,
    OPTION_INTERFACE,
    OPTION_TO,
    OPTION_LOCAL,
    OPTION_VIA,
    OPTION_NO_WAIT,
    OPTION_ALL,
    OPTION_FOR,
    OPTION_ABSENT,
    OPTION_PEER,
    OPTION_TRIGGER,
    OPTION_VERDICT,
    OPTION_SINCE,
    OPTION_EVERYTHING,
    OPTION_PEERS,
    OPTION_REASON,
    OPTION_UNTIL,
    OPTION_SOURCE,
    OPTION_UNIT,
    OPTION_DIRECTORY,
    OPTION_FILE,
    OPTION_SORT,
    OPTION_CHECK,
    OPTION_UPLINK,
    OPTION_HTML,
    OPTION_CONFIG,
    OPTION_INSTANCE,
};

static const struct option long_options[] = {
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"follow", no_argument, NULL, OPTION_FOLLOW},
    {"limit", required_argument, NULL, OPTION_LIMIT},
    {"by", required_argument, NULL, OPTION_BY},
    {"interface", required_argument, NULL, OPTION_INTERFACE},
    {"to", required_argument, NULL, OPTION_TO},
    {"local", required_argument, NULL, OPTION_LOCAL},
    {"via", required_argument, NULL, OPTION_VIA},
    {"no-wait", no_argument, NULL, OPTION_NO_WAIT},
    {"all", no_argument, NULL, OPTION_ALL},
    {"for", required_argument, NULL, OPTION_FOR},
    {"absent", no_argument, NULL, OPTION_ABSENT},
    {"peer", required_argument, NULL, OPTION_PEER},
    {"trigger", required_argument, NULL, OPTION_TRIGGER},
    {"verdict", required_argument, NULL, OPTION_VERDICT},
    {"since", required_argument, NULL, OPTION_SINCE},
    {"everything", no_argument, NULL, OPTION_EVERYTHING},
    {"peers", required_argument, NULL, OPTION_PEERS},
    {"reason", required_argument, NULL, OPTION_REASON},
    {"until", required_argument, NULL, OPTION_UNTIL},
    {"source", required_argument, NULL, OPTION_SOURCE},
    {"unit", required_argument, NULL, OPTION_UNIT},
    {"directory", required_argument, NULL, OPTION_DIRECTORY},
    {"file", required_argument, NULL, OPTION_FILE},
    {"sort", required_argument, NULL, OPTION_SORT},
    {"check", no_argument, NULL, OPTION_CHECK},
    {"uplink", required_argument, NULL, OPTION_UPLINK},
    {"html", no_argument, NULL, OPTION_HTML},
    {"output", required_argument, NULL, OPTION_OUTPUT},
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"instance", required_argument, NULL, OPTION_INSTANCE},
    {NULL, 0, NULL, 0},
};

#define OPTIONS_MAX 13

static enum ctl_status command_help(struct ctl *ctl);

static const struct command {
    const char *name;
    enum ctl_status (*run)(struct ctl *ctl);
    int least, most; /* words after it */
    int options[OPTIONS_MAX];
    const char *form, *help; /* NULL: not shown */
} commands[] = {
    {"status",
     command_status,
     0,
     0,
     {OPTION_CHECK},
     "status [--check]",
     "is it working, what is wrong, what is it waiting for, what did it last do;\n"
     "        --check: one line, and an exit status"},
    {"peers",
     command_peers,
     0,
     1,
     {OPTION_LIMIT, OPTION_SORT},
     "peers [GLOB] [-n N] [--sort KEY]",
     "the connections, the worst first; KEY: worst, silent, rtt, name, conn, age, interface,\n"
     "        local, remote, or table (as they come)"},
    {"uplinks",
     command_uplinks,
     0,
     0,
     {0},
     "uplinks",
     "the interfaces over which peers can be reached, and how they are"},
    {"relays",
     command_relays,
     0,
     0,
     {OPTION_LIMIT},
     "relays [-n N]",
     "the relays, which one is picked and why; and the connections that go over one"},
    {"top",
     command_top,
     0,
     1,
     {OPTION_SORT},
     "top [GLOB] [--sort KEY]",
     "full screen: node, uplinks, peers with their RTTs, the last decisions; ? lists its keys;\n"
     "        KEY: worst, silent, rtt, name or age"},
    {"decisions",
     command_decisions,
     0,
     0,
     {OPTION_FOLLOW, OPTION_LIMIT, OPTION_PEER, OPTION_TRIGGER, OPTION_VERDICT, OPTION_UPLINK,
      OPTION_SINCE, OPTION_UNTIL, OPTION_EVERYTHING, OPTION_SOURCE, OPTION_UNIT, OPTION_DIRECTORY,
      OPTION_FILE},
     "decisions [-f] [-n N] [--peer GLOB] [--trigger T] [--verdict V] [--uplink NAME] [--since "
     "TIME] [--until TIME]",
     "the last decisions of all runs; -f follows, --everything: all kinds of records,\n"
     "        --uplink: of what uses this uplink or was to move to it, and what happened to it"},
    {"report",
     command_report,
     0,
     1,
     {OPTION_SINCE, OPTION_UNTIL, OPTION_SOURCE, OPTION_UNIT, OPTION_DIRECTORY, OPTION_FILE,
      OPTION_HTML, OPTION_OUTPUT, OPTION_CONFIG},
     "report [--since TIME] [--until TIME] [--html [-o FILE]] [RECORDING [--config FILE]]",
     "a summary on one screen: of the last 24 h, of the time given, or of a recording;\n"
     "        --html: a page with lines of time and tables, to standard output or to -o FILE;\n"
     "        --config: and what would have been decided with this configuration"},
    {"explain", command_explain, 1, 1, {0}, "explain PEER", "why PEER was or was not moved"},
    {"migrate",
     command_migrate,
     1,
     1,
     {OPTION_BY, OPTION_TO, OPTION_INTERFACE, OPTION_LOCAL, OPTION_VIA, OPTION_NO_WAIT},
     "migrate PEER [--by migrate|reconnect] [--to UPLINK] [--interface I] [--local A] [--via V] "
     "[--no-wait]",
     "move PEER now, and wait for the outcome"},
    {"hold",
     command_hold,
     0,
     1,
     {OPTION_ALL, OPTION_UPLINK, OPTION_FOR, OPTION_ABSENT},
     "hold PEER|--uplink NAME|--all [--for 10min] [--absent]",
     "no moves of PEER but those that operators ask for; --absent: even if PEER is not\n"
     "        connected; --uplink: connections are moved off this uplink, and none to it"},
    {"release",
     command_release,
     0,
     1,
     {OPTION_ALL, OPTION_UPLINK},
     "release PEER|--uplink NAME|--all",
     "end a hold"},
    {"mode",
     command_mode,
     0,
     1,
     {0},
     "mode [active|observe]",
     "show or set the mode; observe: decide and record, but send no requests"},
    {"notify",
     command_notify,
     1,
     2,
     {OPTION_PEERS, OPTION_REASON},
     "notify rebind|up|moved|down [TUNNEL] [--peers GLOBS] [--reason TEXT]",
     "report a rebound tunnel or socket to the trigger tunnel; never waits"},
    {"metrics",
     command_metrics,
     0,
     0,
     {0},
     "metrics",
     "counters and gauges as a scraper of Prometheus gets them (OpenMetrics)"},
    {"reload", command_reload, 0, 0, {0}, "reload", "read the configuration again, all or nothing"},
    {"check", command_check, 1, 1, {0}, "check FILE", "check the configuration FILE"},
    {"version", command_version, 0, 0, {0}, "version", "the version of the running pathdog"},
    {"help", command_help, 0, 1, {0}, "help [COMMAND]", "print this help, or the help of COMMAND"},
    {"names", command_names, 0, 1, {OPTION_LIMIT}, NULL, NULL},
};

static const char looking_back[] =
    "decisions and report read the journal and the memory of the pathdog that runs:\n"
    "      --source auto|journal|daemon  read only this one\n"
    "      --unit UNIT                   the journal of this pathdog only (pathdog@NAME)\n"
    "      --directory DIR, --file FILE  journals of another machine, or of several";
static const char check_status[] =
    "Exit status of status --check: 0 all is well; 1 something needs attention; 2 nothing\n"
    "works; 3 pathdog cannot be reached.";

static enum ctl_status help(void)
{
    puts("pathdogctl [--socket PATH] [--json] COMMAND\nQueries and controls a running pathdog.\n");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (commands[i].form)
            printf("  %s\n        %s\n", commands[i].form, commands[i].help);
    puts("\n  -s, --socket PATH  the control socket (" DEFAULT_CONTROL ")\n"
         "      --instance NAME  the instance NAME of pathdog: /run/pathdog/NAME/control.sock\n"
         "  -j, --json         for programs: one JSON object in each line\n"
         "  -h, --help         print this help\n"
         "      --version      print the version of this program\n");
    printf("%s\n\n", looking_back);
    puts("A peer may be named by the beginning of its name where only one begins so. Colours\n"
         "are used on a terminal, unless NO_COLOR is set.\n\n"
         "Exit status: 0 done; 1 refused or failed; 2 wrong arguments; 3 pathdog cannot be "
         "reached.");
    puts(check_status);
    return CTL_GOOD;
}

static const struct command *find_command(const char *name, enum ctl_status *ret_status)
{
    const char *names[ARRAY_SIZE(commands)], *nearest;
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (!strcmp(name, commands[i].name))
            return &commands[i];
        if (commands[i].form)
            names[n++] = commands[i].name;
    }
    nearest = nearest_word(name, names, n);
    *ret_status = usage("unknown command \"%s\"%s%s%s", name, nearest ? " (did you mean " : "",
                        nearest ? nearest : "", nearest ? "?)" : "");
    return NULL;
}

static bool takes(const struct command *command, int option)
{
    for (size_t i = 0; i < OPTIONS_MAX; i++)
        if (command->options[i] == option)
            return true;
    return false;
}

static enum ctl_status command_help(struct ctl *ctl)
{
    enum ctl_status status = CTL_GOOD;
    const struct command *command;

    if (!ctl->n_words)
        return help();
    command = find_command(ctl->words[0], &status);
    if (!command || !command->form)
        return status;
    printf("pathdogctl [--socket PATH] [--json] %s\n        %s\n\n", command->form, command->help);
    if (takes(command, OPTION_SOURCE))
        printf("%s\n\n", looking_back);
    if (takes(command, OPTION_CHECK))
        printf("%s\n\n", check_status);
    puts("\"man pathdogctl\" says more.");
    return status;
}

static const struct option *option_of(int code)
{
    const struct option *option = long_options;

    while (option->name && option->val != code)
        option++;
    return option;
}

static const char *option_name(int code)
{
    const struct option *option = option_of(code);

    return option->name ? option->name : "?";
}

static enum ctl_status limit_parse(struct options *options)
{
    char *end;
    unsigned long long limit = strtoull(optarg, &end, 10);

    if (*optarg < '0' || *optarg > '9' || *end || !limit || limit > UINT32_MAX)
        return usage("--limit %s: allowed is a number, 1 or more", optarg);
    options->limit = limit;
    return CTL_GOOD;
}

static enum ctl_status source_parse(struct options *options)
{
    static const char *const words[] = {
        [SOURCE_AUTO] = "auto", [SOURCE_JOURNAL] = "journal", [SOURCE_DAEMON] = "daemon"};

    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (!strcmp(optarg, words[i])) {
            options->source = (enum source_choice)i;
            return CTL_GOOD;
        }
    return usage("--source %s: allowed are auto, journal and daemon", optarg);
}

/* Of the commands that look back. */
static enum ctl_status take_past(struct options *options, int code)
{
    switch (code) {
    case OPTION_UNTIL:
        options->until = optarg;
        break;
    case OPTION_SOURCE:
        return source_parse(options);
    case OPTION_UNIT:
        options->unit = optarg;
        break;
    case OPTION_DIRECTORY:
        options->directory = optarg;
        break;
    case OPTION_FILE:
        options->file = optarg;
        break;
    case OPTION_HTML:
        options->html = true;
        break;
    case OPTION_OUTPUT:
        options->output = optarg;
        break;
    case OPTION_CONFIG:
        options->config = optarg;
        break;
    default:
        break;
    }
    return CTL_GOOD;
}

static enum ctl_status take_instance(struct options *options)
{
    if (!*optarg || *optarg == '.' || strchr(optarg, '/') || strlen(optarg) > 64)
        return usage("--instance %s: allowed is a name of at most 64 bytes, without \"/\" and not "
                     "beginning with a dot",
                     optarg);
    snprintf(options->instance[0], sizeof(options->instance[0]), "/run/pathdog/%s/control.sock",
             optarg);
    snprintf(options->instance[1], sizeof(options->instance[1]), "/run/pathdog/%s/notify", optarg);
    options->notify = options->instance[1];
    if (!options->socket_given)
        options->socket = options->instance[0];
    return CTL_GOOD;
}

/* JSON has no other: what is asked would be left out, and something else be done. */
static bool is_text(const char *text)
{
    size_t left = strlen(text);

    while (left) {
        size_t length = utf8_length(text, left);

        if (!length)
            return false;
        text += length;
        left -= length;
    }
    return true;
}

/* A path may be any bytes. */
static bool is_path(int code)
{
    return code == OPTION_SOCKET || code == OPTION_DIRECTORY || code == OPTION_FILE ||
           code == OPTION_OUTPUT || code == OPTION_CONFIG;
}

static enum ctl_status take_option(struct options *options, int code)
{
    const char *why;

    if (option_of(code)->has_arg && !is_path(code) && !is_text(optarg))
        return usage("--%s %s: is not UTF-8", option_name(code), optarg);
    switch ((enum option_code)code) {
    case OPTION_INSTANCE:
        return take_instance(options);
    case OPTION_SOCKET:
        options->socket = optarg;
        options->socket_given = true;
        break;
    case OPTION_JSON:
        options->json = true;
        break;
    case OPTION_FOLLOW:
        options->follow = true;
        break;
    case OPTION_LIMIT:
        return limit_parse(options);
    case OPTION_BY:
        options->by = optarg;
        break;
    case OPTION_INTERFACE:
        options->interface = optarg;
        break;
    case OPTION_TO:
    case OPTION_UPLINK:
        options->uplink = optarg;
        break;
    case OPTION_LOCAL:
        options->local = optarg;
        break;
    case OPTION_VIA:
        options->via = optarg;
        break;
    case OPTION_NO_WAIT:
        options->no_wait = true;
        break;
    case OPTION_ALL:
        options->all = true;
        break;
    case OPTION_FOR:
        if (duration_parse(optarg, &options->for_us, &why) < 0)
            return usage("--for %s %s: allowed is a time like 90s, 10min or \"1h 30min\"", optarg,
                         why);
        if (!options->for_us)
            return usage("--for %s: allowed is a time above 0, like 90s or \"1h 30min\"", optarg);
        break;
    case OPTION_ABSENT:
        options->absent = true;
        break;
    case OPTION_PEER:
        options->peer = optarg;
        break;
    case OPTION_TRIGGER:
        options->trigger = optarg;
        break;
    case OPTION_VERDICT:
        options->verdict = optarg;
        break;
    case OPTION_SINCE:
        options->since = optarg;
        break;
    case OPTION_EVERYTHING:
        options->everything = true;
        break;
    case OPTION_PEERS:
        options->peers = optarg;
        break;
    case OPTION_REASON:
        options->reason = optarg;
        break;
    case OPTION_SORT:
        options->sort = optarg;
        break;
    case OPTION_CHECK:
        options->check = true;
        break;
    default:
        return take_past(options, code);
    }
    return CTL_GOOD;
}

static enum ctl_status check_use(const struct command *command, const struct ctl *ctl,
                                 const bool *given)
{
    for (const struct option *option = long_options; option->name; option++) {
        bool everywhere = option->val == OPTION_SOCKET || option->val == OPTION_JSON ||
                          option->val == OPTION_INSTANCE;

        if (given[option->val] && !everywhere && !takes(command, option->val))
            return usage("%s does not take --%s", command->name, option_name(option->val));
    }
    if (ctl->n_words < command->least)
        return usage("an argument is missing: %s", command->form);
    if (ctl->n_words > command->most)
        return usage("unexpected argument \"%s\": %s", ctl->words[command->most],
                     command->form ? command->form : command->name);
    for (int i = 0; i < ctl->n_words; i++)
        if (command->run != command_report && command->run != command_check &&
            !is_text(ctl->words[i]))
            return usage("%s %s: is not UTF-8", command->name, ctl->words[i]);
    return CTL_GOOD;
}

static enum ctl_status run(struct ctl *ctl, int argc, char **argv)
{
    bool given[OPTION_INSTANCE + 1] = {false};
    const struct command *command;
    enum ctl_status status;
    bool helps = false;
    int code;

    opterr = 0; /* getopt would print an option as it is, whatever is in it */
    while ((code = getopt_long(argc, argv, ":s:jhfn:o:", long_options, NULL)) != -1) {
        if (code == OPTION_HELP) {
            helps = true;
            continue;
        }
        if (code == OPTION_VERSION) {
            puts("pathdogctl " PATHDOG_VERSION);
            return CTL_GOOD;
        }
        if (code == ':')
            return usage("%s needs a value", argv[optind - 1]);
        if (code == '?')
            return usage("unknown option %s", argv[optind - 1]);
        given[code] = true;
        status = take_option(&ctl->options, code);
        if (status != CTL_GOOD)
            return status;
    }
    ctl->words = argv + optind;
    ctl->n_words = argc - optind;
    if (helps)
        return command_help(ctl);
    if (optind == argc)
        return usage("the command is missing: status, peers, decisions, explain PEER, …");
    command = find_command(argv[optind], &status);
    if (!command)
        return status;
    ctl->words = argv + optind + 1;
    ctl->n_words = argc - optind - 1;
    status = check_use(command, ctl, given);
    return status == CTL_GOOD ? command->run(ctl) : status;
}

int main(int argc, char **argv)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    struct ctl ctl = {
        .options = {.socket = DEFAULT_CONTROL, .notify = DEFAULT_NOTIFY},
        .call_ms = CALL_MS,
        .pending = json_array(),
        .colour =
            isatty(STDOUT_FILENO) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0,
    };
    enum ctl_status status;

    setlocale(LC_TIME, "");
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_IGN); /* RLIMIT_FSIZE: the write fails, and that is said */
    status = run(&ctl, argc, argv);
    channel_free(ctl.channel);
    json_decref(ctl.pending);
    if ((fflush(stdout) || ferror(stdout)) && status == CTL_GOOD) {
        complain("cannot write the output");
        status = CTL_FAILED;
    }
    return (int)status;
}
