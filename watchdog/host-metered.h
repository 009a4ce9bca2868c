/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which interfaces NetworkManager calls metered, by D-Bus. Where there is no bus, no
 * NetworkManager, or one that does not answer, none is; and it is tried again.
 */
#ifndef HOST_METERED_H
#define HOST_METERED_H

#include <pathdog/trigger.h>
#include <systemd/sd-event.h>

struct host_metered;

struct host_metered_config {
    sd_event *loop;
    const char *address; /* of the bus: "unix:path=…"; NULL: the system bus; "": no bus */
    uint64_t timeout_us; /* until an answer must be there; 0: 10 s */
    /* Others are metered now, maybe. Both must only note it. */
    void (*changed)(void *user);
    void (*notice)(void *user, enum pd_level level, const char *what, const char *text);
    void *user;
};

/* All calls of the handlers come from within the loop. Returns 0 or -errno. */
int host_metered_new(const struct host_metered_config *config, struct host_metered **ret_metered);

/* NULL is fine: none is. */
bool host_metered_is(const struct host_metered *metered, const char *interface);

/* NULL is fine. Returns NULL. */
struct host_metered *host_metered_free(struct host_metered *metered);

#endif
