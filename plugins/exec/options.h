/* SPDX-License-Identifier: Apache-2.0 */
/* The order of the exec trigger's options. */
#ifndef EXEC_OPTIONS_H
#define EXEC_OPTIONS_H

enum exec_option {
    EXEC_OPTION_COMMAND,
    EXEC_OPTION_USER,
    EXEC_OPTION_INTERVAL,
    EXEC_OPTION_TIMEOUT,
};

#endif
