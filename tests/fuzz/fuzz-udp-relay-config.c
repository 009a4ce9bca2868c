/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a configuration of udp-relay: all settings within their bounds, or one error. Where
 * there is a NUL, what stands behind it are flags, with a blank between them.
 */
#include "fuzz.h"

#include "options_private.h"

#define FLAGS_MOST 32

static void check(const struct options *options)
{
    MUST(options->relay.session_timeout_us >= 1000000);
    MUST(options->relay.max_circuits >= 1 && options->relay.max_circuits <= RELAY_CIRCUITS_MOST);
    MUST(options->relay.max_circuits_per_address >= 1);
    MUST(options->relay.reservation_ttl_us >= 100000 && options->acl_refresh_us >= 100000);
    MUST(options->buffer_bytes >= 1 && options->buffer_bytes <= 64u << 20);
    MUST(options->workers <= WORKERS_MOST);
    MUST(options->relay.rebind <= RELAY_REBIND_REGISTER && options->log <= LOG_JOURNAL);
    MUST(!options->members || *options->members);
    MUST(!options->control || *options->control);
}

static void check_flags(char *text)
{
    static char name[] = "udp-relay", *const environment[] = {NULL};
    char *argv[FLAGS_MOST + 1] = {name}, *warnings = NULL, *error = NULL, *save = NULL;
    enum options_wanted wanted;
    struct options options;
    int argc = 1;

    for (char *word = strtok_r(text, " ", &save); word && argc < FLAGS_MOST;
         word = strtok_r(NULL, " ", &save)) {
        /* no file of this machine is opened */
        if (strstr(word, "config"))
            continue;
        argv[argc++] = word;
    }
    if (options_read(argc, argv, environment, &options, &wanted, &warnings, &error) < 0) {
        MUST(error && *error);
    } else {
        MUST(!error);
        check(&options);
        MUST(wanted != OPTIONS_RUN || (options.relay.max_datagram_bytes >= 1 &&
                                       options.relay.max_datagram_bytes <= RELAY_DATAGRAM_MOST));
    }
    free(warnings);
    free(error);
    options_free(&options);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size ? memchr(data, '\0', size) : NULL;
    size_t length = nul ? (size_t)(nul - data) : size;
    struct options options;
    char *error = NULL, *flags;

    settings_default(&options);
    if (options_text(&options, "fuzz", (const char *)data, length, &error) < 0)
        MUST(error && !strncmp(error, "fuzz:", 5));
    else
        MUST(!error);
    check(&options);
    free(error);
    options_free(&options);
    flags = nul ? strndup((const char *)nul + 1, size - length - 1) : NULL;
    if (flags)
        check_flags(flags);
    free(flags);
    return 0;
}
