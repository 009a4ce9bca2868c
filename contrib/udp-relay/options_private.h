/* SPDX-License-Identifier: Apache-2.0 */
/* How options_parse() does it, for tests and the fuzzer: no output, an environment of one's own. */
#ifndef UDP_RELAY_OPTIONS_PRIVATE_H
#define UDP_RELAY_OPTIONS_PRIVATE_H

#include "options.h"
#include "settings/sources.h"

/* The keys of a file stand in [udp-relay] or [relay], or in none. */
extern const struct settings options_settings;

/* As settings_read(), with the defaults before. In either case options_free() is to be called. */
int options_read(int argc, char *const *argv, char *const *environment, struct options *ret,
                 unsigned *ret_wanted, char **ret_warnings, char **ret_error);

#endif
