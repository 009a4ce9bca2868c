/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sources of the trigger instances: started on the loop, asked, stopped in
 * reverse. Knows nothing of the policies; what a source emits is handed on.
 */
#ifndef HOST_SOURCE_H
#define HOST_SOURCE_H

#include <pathdog/source.h>

#include "plugin.h"

struct sources;

struct sources_handlers {
    /* Both may be called from within sources_start and sources_query, and must
     * copy what they want to keep. */
    void (*signal)(void *user, const char *instance, const struct pd_signal *signal);
    void (*notice)(void *user, enum pd_level level, const char *what, const char *text);
    void *user;
};

/* Starts the source of each enabled instance that has one; the config may go
 * afterwards. One that fails is said by a notice and left out; the policy then hears nothing from
 * it. `closed`, by instance, are those whose policy failed to start: nobody would hear them. NULL:
 * none. */
struct sources *sources_start(sd_event *loop, const struct config *config,
                              const struct plugins *plugins, const bool *closed,
                              const struct sources_handlers *handlers);

/* Did a source not start because the machine has too little memory, or too few descriptors? 0; or
 * -errno, and a sentence about the first one. */
int sources_shortage(const struct sources *sources, char **ret_error);

/* After a reload: stops what is gone or set otherwise, then starts what is new
 * or was; the others go on undisturbed. */
void sources_update(struct sources *sources, const struct config *config,
                    const struct plugins *plugins);

/* Its policy is closed, so nobody hears it any more. */
void sources_close(struct sources *sources, size_t instance);

/* A policy's question; `instance` is its place in engine_config.instances. */
void sources_query(struct sources *sources, uint32_t instance, const struct pd_query *query);

/* Stops what was started. NULL is fine. Returns NULL. */
struct sources *sources_free(struct sources *sources);

#endif
