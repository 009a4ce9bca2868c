/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of root or of the daemon's own user that asks for somebody else (pathdog-varlink). From
 * then on it counts as that user's: in reasons and notices, and where places are short. It has no
 * way back from there.
 */
#include "private.h"

void answer_as(struct request *request)
{
    struct client *client = request->client;
    uint64_t uid = param_u64(request, "uid");
    struct buffer *out;

    if (!user_is_trusted(client->uid)) {
        answer_error(request, ERROR_REFUSED,
                     "\"as\" is for root and the user that pathdog runs as");
        return;
    }
    if (uid >= UINT32_MAX) {
        answer_error(request, ERROR_PARAMS, "\"uid\" is not the number of a user");
        return;
    }
    if (!client_becomes(client, (uint32_t)uid)) {
        answer_error(request, ERROR_TOO_MANY,
                     "%u clients are connected, which is the most allowed: end one of them, or try "
                     "again later",
                     CLIENTS_MAX);
        return;
    }
    out = answer_begin(request);
    put_open(out, NULL, "{");
    put_u64(out, "uid", uid);
    put_close(out, "}");
    answer_end(request);
}
