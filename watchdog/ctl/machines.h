/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose a run is: of which unit, on which machine. Journals of several machines may be read as one;
 * then a unit's name alone says too little. Pure.
 */
#ifndef CTL_MACHINES_H
#define CTL_MACHINES_H

#include <jansson.h>

struct machines;

struct machines *machines_new(void);
/* NULL is fine. Returns NULL. */
struct machines *machines_free(struct machines *machines);

/* Of each record. What is NULL is not known; no machine is one, too. The first that is said of a
 * run counts. */
void machines_note(struct machines *machines, const char *run, const char *machine,
                   const char *host, const char *unit);

/* Borrowed objects, good until the next machines_note(). Run → unit, for those that have one; where
 * there are several machines, "pathdog.service on alpha". */
const json_t *machines_units(struct machines *machines);
/* Run → machine, as its host's name; with the beginning of its id where several have that name. */
const json_t *machines_names(struct machines *machines);

#endif
