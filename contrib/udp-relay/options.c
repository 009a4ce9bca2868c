/* SPDX-License-Identifier: Apache-2.0 */
/* The table of settings; contrib/settings reads it. */
#include "options_private.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/format.h"

#define SECOND          UINT64_C(1000000)
#define DAY             (86400 * SECOND)
#define RUNTIME_DEFAULT "/run/udp-relay"
#define CONTROL_NAME    "control.sock"

/* The port is another setting. */
static int address_read(const struct setting *setting, void *place, const char *text,
                        char **ret_error)
{
    struct endpoint *bind = place, address;

    (void)setting;
    if (ip_parse(text, &address) < 0)
        return error_set(ret_error, -EINVAL,
                         "\"%.80s\" is not an address; allowed is an IPv4 or IPv6 address, such as "
                         "192.0.2.1 or 2001:db8::1; the port is set by \"port\"",
                         text);
    address.port = bind->port;
    *bind = address;
    return 0;
}

/* ---- the table ---- */

static const char *const rebinds[] = {"same-ip", "register", NULL};
static const char *const logs[] = {"text", "journal", NULL};

#define TIME(name_, member_, default_, min_, help_)                                                \
    SETTING_NUMBER(name_, struct options, member_, PD_OPTION_TIME, setting_u64, default_, min_,    \
                   365 * DAY, "TIME", help_)
#define COUNT(name_, member_, default_, min_, max_, help_)                                         \
    SETTING_NUMBER(name_, struct options, member_, PD_OPTION_INTEGER, setting_u32, default_, min_, \
                   max_, "N", help_)
#define FILE_NAME(name_, member_, help_)                                                           \
    SETTING_TEXT(name_, struct options, member_, setting_file, NULL, "FILE|none", help_)

/* clang-format off */
static const struct setting table[] = {
    SETTING_TEXT("bind", struct options, bind, address_read, "::", "ADDRESS", "address to serve; :: is IPv4 and IPv6, 0.0.0.0 IPv4 only"),
    SETTING_NUMBER("port", struct options, bind.port, PD_OPTION_INTEGER, setting_u16, "4433", 0, 65535, "PORT", "UDP port; 0: one that is free"),
    TIME("session-timeout-secs", relay.session_timeout_us, "300", SECOND, "without activity for so long a session ends; seconds, or a time"),
    SETTING_NUMBER("max-data", struct options, relay.max_data_bytes, PD_OPTION_SIZE, setting_u64, "1G", 0, 0, "SIZE", "payload bytes of a session in each direction; 0: no limit"),
    TIME("max-duration", relay.max_duration_us, "30min", 0, "a session ends so long after its second member came; 0: no limit"),
    COUNT("max-circuits", relay.max_circuits, "64", 1, RELAY_CIRCUITS_MOST, "sessions at a time"),
    COUNT("max-circuits-per-address", relay.max_circuits_per_address, "16", 1, RELAY_CIRCUITS_MOST, "of them with a member of one address"),
    TIME("reservation-ttl", relay.reservation_ttl_us, "1h", SECOND / 10, "a registration waits so long for its peer"),
    SETTING_NUMBER("buffer-size", struct options, buffer_bytes, PD_OPTION_SIZE, setting_u32, "64K", 1, 64u << 20, "SIZE", "queue for what is received; a larger datagram is dropped"),
    FILE_NAME("members", members, "list of those who may register; none: all may"),
    TIME("acl-refresh", acl_refresh_us, "30s", SECOND / 10, "a change of the list is taken within so long"),
    SETTING_BOOLEAN("service", struct options, relay.service, "yes", "no: register nobody"),
    SETTING_CHOICE("rebind", struct options, relay.rebind, "same-ip", rebinds, "same-ip|register", "what moves a member to another port: data from its address, too, or REG only"),
    FILE_NAME("control", control, "control socket, for udp-relayctl"),
    COUNT("threads", workers, "0", 0, WORKERS_MOST, "sockets and threads; 0: one for each core, at most 8"),
    SETTING_BOOLEAN("offload", struct options, offload, "yes", "UDP GRO and GSO, where the kernel has them"),
    SETTING_CHOICE("log", struct options, log, NULL, logs, "text|journal", "where to log; default: the journal, if connected to it"),
};
/* clang-format on */

_Static_assert(sizeof(enum relay_rebind) == sizeof(unsigned), "a choice is an unsigned");
_Static_assert(sizeof(enum log_kind) == sizeof(unsigned), "a choice is an unsigned");

const struct settings options_settings = {
    .program = "udp-relay",
    .section_short = "relay",
    .prefix = "UDP_RELAY_",
    .size = sizeof(struct options),
    .at = table,
    .n = ARRAY_SIZE(table),
    .purpose = "Forwards UDP datagrams between the two members of a session.",
    .below = "A setting is taken from the command line, else from the environment (--max-data is "
             "UDP_RELAY_MAX_DATA),\nelse from FILE (max-data). Times: 90s, 30min, 1h 30min, 90 "
             "(seconds). Sizes: 64K, 1G, 1200 (bytes).\n\nExit status: 0 clean stop, 1 failure "
             "while starting or running, 2 bad options, environment or file.",
};

/* ---- all of them ---- */

int options_read(int argc, char *const *argv, char *const *environment, struct options *ret,
                 unsigned *ret_wanted, char **ret_warnings, char **ret_error)
{
    int r;

    settings_default(&options_settings, ret);
    ret->control = environment_runtime(environment, CONTROL_NAME);
    /* Or in one that somebody made for it. */
    if (!ret->control && access(RUNTIME_DEFAULT, W_OK | X_OK) == 0)
        ret->control = string_copy(RUNTIME_DEFAULT "/" CONTROL_NAME);
    ret->log = environment_has_journal(environment) ? LOG_JOURNAL : LOG_TEXT;
    r = settings_read(&options_settings, argc, argv, environment, ret, ret_wanted, ret_warnings,
                      ret_error);
    ret->relay.max_datagram_bytes =
        ret->buffer_bytes < RELAY_DATAGRAM_MOST ? ret->buffer_bytes : RELAY_DATAGRAM_MOST;
    return r;
}

int options_parse(int argc, char **argv, struct options *ret)
{
    CLEANUP_FREE char *error = NULL, *warnings = NULL;
    unsigned wanted;
    int r = options_read(argc, argv, environ, ret, &wanted, &warnings, &error);

    settings_print(&options_settings, wanted, warnings, error);
    return r < 0 ? r : wanted != SETTINGS_RUN;
}

void options_free(struct options *options)
{
    free(options->members);
    free(options->control);
    *options = (struct options){0};
}
