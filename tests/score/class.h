/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A class of traces: something happens to the host's network, and what is right to do about it is
 * known, because the timelines say what every path is like at every time.
 */
#ifndef SCORE_CLASS_H
#define SCORE_CLASS_H

#include "world.h"

struct traces;

/* Seeds of the two halves are disjoint, and so are the traces that they read: rules are tuned on
 * one, and the table is of the other. */
enum half {
    HALF_TUNE,
    HALF_SCORE,
};

struct class_input {
    struct choice *random;
    enum half half;
    uint64_t seed;
    const struct traces *traces; /* NULL: there are none */
};

struct class
{
    const char *name;
    const char *truth; /* what happens, and what is right */
    bool real;         /* made of recorded traces */
    unsigned share;    /* one of so many seeds is run: where there are few recordings; 0: all */
    /* Fills a world that has been initialized with class_host(). False: there is no such trace. */
    bool (*make)(struct world *world, const struct class_input *input);
};

/* Ended by one without a name (classes.c, classes-real.c). */
extern const struct class classes[];
extern const struct class classes_real[];

/* The class's own generator and the world for one seed. False: there is no such trace. */
bool class_make(const struct class *class, enum half half, uint64_t seed,
                const struct traces *traces, struct world *world);

/* ---- for makers ---- */

enum load {
    LOAD_BUSY,  /* a message of 100 bytes each 100 ms both ways */
    LOAD_THICK, /* and of a full packet */
    LOAD_IDLE,  /* one each half minute; else keep-alives */
};

/* A host as many are: uplinks of increasing delay, five peers that it dials and one that dials it.
 * For half of the seeds there are rules by source address. */
void class_host(struct world *world, struct choice *random, unsigned n_uplinks, enum load load);
/* Something in a range. */
uint64_t class_between(struct choice *random, uint64_t least, uint64_t most);

#endif
