/* SPDX-License-Identifier: Apache-2.0 */
/* How options_parse() does it, for tests and the fuzzer: no output, an environment of one's own. */
#ifndef FLOW_NODE_OPTIONS_PRIVATE_H
#define FLOW_NODE_OPTIONS_PRIVATE_H

#include "settings.h"

/* Defaults, then the file that is named, then the environment, then the flags. Returns 0, or
 * -EINVAL and a sentence that names the source, the key, the value and what is allowed. Lines of
 * `*ret_warnings` are no errors; both are to be freed, and in either case options_free() is to be
 * called. */
int options_read(int argc, char *const *argv, char *const *environment, struct options *ret,
                 enum options_wanted *ret_wanted, char **ret_warnings, char **ret_error);

/* What a configuration says: keys without a section, or in [flow-node]. `name` is for
 * messages. */
int options_text(struct options *options, const char *name, const char *text, size_t size,
                 char **ret_error);

#endif
