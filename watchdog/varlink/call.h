/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call of a client, from its parameters to its last reply. It has a connection to the control
 * socket of its own, so nothing of it is left over for the next one. Nobody waits: a method sends a
 * request and says what is to be done with the answer.
 *
 * A client that does not read what is sent to it is not read for either: what it does not take
 * waits in the daemon, which has bounds for that (docs/control.md).
 */
#ifndef VARLINK_CALL_H
#define VARLINK_CALL_H

#include <stdbool.h>
#include <systemd/sd-varlink.h>

#include "channel.h"
#include "object.h"

struct call;
struct service;

struct method {
    const char *name; /* without the interface's */
    void (*begin)(struct call *call);
};

struct call {
    struct service *service;
    struct call *next; /* of the service's */
    sd_varlink *link;
    const struct method *method;
    const sd_varlink_symbol *symbol;
    bool more;
    sd_json_variant *parameters; /* checked against the interface */

    struct channel *channel;
    int64_t request; /* number of the last request */
    bool asked;      /* and it is not answered yet */
    bool ended;      /* replied for the last time: nothing is read any more */
    bool close;      /* and the client's connection goes with it */
    bool paused;     /* the client does not read */
    sd_event_source *deadline, *slow;
    /* What is done with the answer's result; NULL: it is not waited for. */
    void (*answered)(struct call *call, sd_json_variant *result);
    /* With "record" and "dropped", while it follows. */
    void (*told)(struct call *call, const char *what, sd_json_variant *params);
    /* When the client has read all there is, once. */
    void (*drained)(struct call *call);
    /* When the time is over: NULL is that the daemon does not answer. */
    void (*late)(struct call *call);

    /* of single methods */
    sd_json_variant *kept;   /* the pages so far; the decision */
    sd_json_variant **queue; /* what came while it read pages */
    size_t n_queue, queue_size;
    uint64_t left;
};

struct service {
    sd_event *loop;
    sd_varlink_server *server;
    const char *control; /* path of the daemon's socket */
    struct call *calls;
    uint64_t n_oneway;      /* calls that wanted no answer, which are not done */
    sd_event_source *after; /* each round of the loop: who has read meanwhile */
};

/* A client calls a method (sd_varlink_method_t's parameters). Returns as that does. */
int call_begin(struct service *service, const struct method *method, sd_varlink *link,
               sd_json_variant *parameters, sd_varlink_method_flags_t flags);

/* The client is gone. NULL is fine. */
void call_abandon(struct call *call);

/* Looks after the calls whose clients did not read (sd_event_handler_t). */
int call_look_after(sd_event_source *source, void *user);

/* ---- for methods ---- */

/* Sends a request; `answered` gets the result. Takes `params` over. */
void call_ask(struct call *call, const char *method, sd_json_variant *params,
              void (*answered)(struct call *call, sd_json_variant *result));

/* The parameters that the interface has for it, without those named in the list, which ends in
 * NULL. */
sd_json_variant *call_parameters(const struct call *call, const char *const *without);

/* The one reply, or the last one; the interface's members of `values`. */
void call_reply(struct call *call, sd_json_variant *values);
/* One of several. */
void call_tell(struct call *call, sd_json_variant *values);
/* The last. `name`: of the interface. Takes `values` over. */
void call_fail(struct call *call, const char *name, sd_json_variant *values);
__attribute__((format(printf, 3, 4))) void call_fail_text(struct call *call, const char *name,
                                                          const char *format, ...);

/* `late` is called after so long, 0: it is not. */
void call_wait(struct call *call, uint64_t span_us);

#endif
