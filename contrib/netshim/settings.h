/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be set on one direction of the wire, and the text commands that set it.
 * Pure: no I/O, no clock, nothing is printed; errors come back as text.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct settings {
    uint64_t delay_ns;
    uint64_t jitter_ns;  /* each frame waits delay + a uniform share of this */
    uint64_t rate_bit_s; /* 0: no limit */
    uint32_t loss_ppm;
    bool blackhole;
    bool reorder; /* jitter may let a frame overtake another */
};

enum command {
    COMMAND_SET,   /* settings were changed */
    COMMAND_STATS, /* the caller is to print counters */
    COMMAND_SHOW,  /* the caller is to print settings */
};

#define SETTINGS_ERROR_MAX 160

/*
 * Obeys one line, `delay 100ms` or `delay a 10ms`; words are separated by spaces or ':'.
 * settings[0] is direction a (frames that arrive at the first interface), settings[1] is b.
 * Returns 0, or -EINVAL with ret_error filled and the settings untouched.
 */
int settings_command(struct settings settings[2], const char *line, enum command *ret_command,
                     char ret_error[SETTINGS_ERROR_MAX]);

/* One line without its end, `delay_us=100000 …`. Returns its length as snprintf does. */
int settings_format(const struct settings *settings, char *buffer, size_t size);
