/* SPDX-License-Identifier: Apache-2.0 */
/* A model of `pathdogctl top` that was told of some peers. */
#ifndef TEST_TOP_RIG_H
#define TEST_TOP_RIG_H

#include "check.h"
#include "ctl/top/canvas.h"
#include "ctl/top/model.h"

/* For cmocka: a model in *state; the locale is C.UTF-8. */
int top_setup(void **state);
int top_teardown(void **state);

/* A peer as the daemon reports it, to be changed. */
json_t *top_peer(const char *name, int conn, const char *condition);

/* An answer with so many peers p1, p2 …, all up, of `all` that there are. */
json_t *top_answer(int n, int all);

/* A status in which all is well. */
json_t *top_status(void);

/* Types a text, and returns what the last key leads to. */
struct top_action top_type(struct top_model *model, const char *text);

/* Draws it with so many rows and columns. */
void top_expect(struct top_model *model, int rows, int cols, int row, const char *part);

#endif
