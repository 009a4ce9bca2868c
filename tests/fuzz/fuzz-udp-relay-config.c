/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a configuration of udp-relay: all settings within their bounds, or one error. */
#include "fuzz-settings.h"

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

static void check_run(const struct options *options)
{
    MUST(options->relay.max_datagram_bytes >= 1 &&
         options->relay.max_datagram_bytes <= RELAY_DATAGRAM_MOST);
}
