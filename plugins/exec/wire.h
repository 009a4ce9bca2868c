/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between pathdog and the helper pathdog-exec: a SOCK_SEQPACKET pair, which is descriptor 3 of the
 * helper. One byte to it asks for the end of the command; where the socket closes without, pathdog
 * has died, and the command is killed at once. The helper answers with these, one in a packet.
 */
#ifndef EXEC_WIRE_H
#define EXEC_WIRE_H

#include <stdint.h>

#define HELPER_FD 3

/* From SIGTERM to SIGKILL. With it a command is gone within pathdog's own time to stop. */
#define HELPER_GRACE_US 1000000u

enum helper_kind {
    HELPER_PID,     /* of the command, before it can write anything */
    HELPER_STARTED, /* it runs */
    HELPER_NO_USER, /* errno: the user cannot be found */
    HELPER_NO_FORK,
    HELPER_NO_CHANGE, /* it cannot become that user */
    HELPER_NO_EXEC,
    HELPER_ENDED, /* as waitpid(2) has it */
    HELPER_LEFT,  /* how many of its processes were killed after its end */
};

struct helper_word {
    uint32_t kind;
    int32_t value;
};

#endif
