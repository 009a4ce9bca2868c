/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection to the daemon for a screen: requests are sent without waiting, and their answers
 * come in their order, with records between them.
 */
#ifndef TOP_FEED_H
#define TOP_FEED_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum about {
    ABOUT_STATUS,
    ABOUT_PEERS,
    ABOUT_UPLINKS,
    ABOUT_RECORDS,
    ABOUT_EXPLAIN,
    ABOUT_LAST, /* records of what is explained */
    ABOUT_HOLD,
    ABOUT_RELEASE,
    ABOUT_MOVE,
};

#define FEED_MOST 64u

struct asked {
    enum about about;
    uint64_t id, asked_us;
    uint64_t round; /* of the caller */
};

struct channel;

struct feed {
    const char *path;
    struct channel *channel; /* NULL: not connected */
    uint64_t next_id;
    struct asked asked[FEED_MOST]; /* the oldest first */
    size_t n_asked;
    bool more; /* there is more to be read, whether or not poll() says so */
};

/* One message; `result` NULL: it failed, and `error` says why. Borrowed. */
struct answer {
    struct asked asked;
    const json_t *result;
    const char *error;
};

struct feed_handler {
    void *user;
    void (*answer)(void *user, const struct answer *answer);
    void (*record)(void *user, const json_t *record);
    void (*dropped)(void *user, uint64_t count);
};

/* Connects. Returns 0 or -errno. */
int feed_open(struct feed *feed);
void feed_close(struct feed *feed);

/* Sends a request; `params` is taken over, NULL: none. Returns 0 or -errno: it is not connected any
 * more then. -EBUSY: too many are not answered yet. */
int feed_ask(struct feed *feed, uint64_t now_us, enum about about, uint64_t round,
             const char *method, json_t *params);

/* Hands on what there is, for a while: a daemon may talk faster than it is read. Returns 0 or
 * -errno: it is not connected any more then; a text in `why` where the daemon said why. */
int feed_read(struct feed *feed, const struct feed_handler *handler, char why[160]);

/* Since when an answer is waited for; 0: for none. */
uint64_t feed_waits_since(const struct feed *feed);

#endif
