/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves that have no match yet wait in the order of time, of both sides; the first of them is given
 * up when it cannot be matched any more.
 */
#include "what-if.h"

#include "../util/util.h"
#include "history.h"

#define COLUMNS_MOST 4096u /* moves of a side whose times are told, for the line */
#define WAITING_MOST 65536u

struct move {
    json_t *record; /* NULL: matched */
    enum what_if_side side;
};

struct what_if {
    struct move *waiting; /* from `first` on */
    size_t first, n, capacity;
    uint64_t n_gone;    /* moves before waiting[first] */
    json_t *pending[2]; /* peer → those that wait, counted from the first move ever */
    json_t *verdicts[2], *triggers[2], *times[2];
    uint64_t n_moves[2], n_only[2], n_both, n_earlier, n_later;
    json_t *rows; /* only in one */
};

struct what_if *what_if_new(void)
{
    struct what_if *what_if = memory_new(1, sizeof(*what_if));

    for (size_t i = 0; i < 2; i++) {
        what_if->verdicts[i] = json_object();
        what_if->triggers[i] = json_object();
        what_if->times[i] = json_array();
        what_if->pending[i] = json_object();
    }
    what_if->rows = json_array();
    return what_if;
}

static void add(json_t *counts, const char *name)
{
    json_object_set_new(counts, name, json_integer((json_int_t)record_number(counts, name) + 1));
}

/* The oldest one of that side and peer does not wait any more. UINT64_MAX: none does. */
static uint64_t pending_take(struct what_if *what_if, enum what_if_side side, const char *peer)
{
    json_t *list = json_object_get(what_if->pending[side], peer);
    uint64_t number;

    if (!list)
        return UINT64_MAX;
    number = (uint64_t)json_integer_value(json_array_get(list, 0));
    json_array_remove(list, 0);
    if (!json_array_size(list))
        json_object_del(what_if->pending[side], peer);
    return number;
}

static void wait_for_match(struct what_if *what_if, enum what_if_side side, const json_t *record)
{
    json_t *list = json_object_get(what_if->pending[side], record_word(record, "peer"));
    uint64_t number = what_if->n_gone + what_if->n;

    if (!list) {
        list = json_array();
        json_object_set_new(what_if->pending[side], record_word(record, "peer"), list);
    }
    json_array_append_new(list, json_integer((json_int_t)number));
    what_if->waiting = array_reserve(what_if->waiting, &what_if->capacity,
                                     what_if->first + what_if->n + 1, sizeof(*what_if->waiting));
    what_if->waiting[what_if->first + what_if->n++] =
        (struct move){json_incref((json_t *)record), side};
}

/* It is in one side only. */
static void give_up(struct what_if *what_if, struct move *move)
{
    static const char *const members[] = {"time_us", "decision", "peer",    "trigger",
                                          "kind",    "reason",   "verdict", "target"};
    json_t *row;

    if (!move->record)
        return;
    pending_take(what_if, move->side, record_word(move->record, "peer"));
    what_if->n_only[move->side]++;
    if (json_array_size(what_if->rows) < WHAT_IF_SHOWN) {
        row = json_pack("{s:s}", "in", move->side == WHAT_IF_WAS ? "recording" : "other");
        for (size_t i = 0; i < ARRAY_SIZE(members); i++)
            json_object_set(row, members[i], json_object_get(move->record, members[i]));
        json_array_append_new(what_if->rows, row);
    }
    json_decref(move->record);
    move->record = NULL;
}

/* Those before that time have no match. */
static void advance(struct what_if *what_if, uint64_t now_us)
{
    while (what_if->n && (what_if->n == WAITING_MOST || !what_if->waiting[what_if->first].record ||
                          add_u64(record_number(what_if->waiting[what_if->first].record, "time_us"),
                                  WHAT_IF_NEAR_US) < now_us)) {
        give_up(what_if, &what_if->waiting[what_if->first]);
        what_if->first++;
        what_if->n--;
        what_if->n_gone++;
    }
    if (what_if->first > 1024 && what_if->first > what_if->n) {
        memmove(what_if->waiting, what_if->waiting + what_if->first,
                what_if->n * sizeof(*what_if->waiting));
        what_if->first = 0;
    }
}

static void take_move(struct what_if *what_if, enum what_if_side side, const json_t *record)
{
    uint64_t time_us = record_number(record, "time_us");
    struct move *move;
    uint64_t number;

    what_if->n_moves[side]++;
    add(what_if->triggers[side], record_word(record, "trigger"));
    if (json_array_size(what_if->times[side]) < COLUMNS_MOST)
        json_array_append(what_if->times[side], json_object_get(record, "time_us"));
    number = pending_take(what_if, side == WHAT_IF_WAS ? WHAT_IF_OTHER : WHAT_IF_WAS,
                          record_word(record, "peer"));
    if (number == UINT64_MAX) {
        wait_for_match(what_if, side, record);
        return;
    }
    move = &what_if->waiting[what_if->first + (number - what_if->n_gone)];
    what_if->n_both++;
    if (record_number(move->record, "time_us") != time_us) {
        what_if->n_later += side == WHAT_IF_OTHER;
        what_if->n_earlier += side == WHAT_IF_WAS;
    }
    json_decref(move->record);
    move->record = NULL;
}

void what_if_take(struct what_if *what_if, enum what_if_side side, const json_t *record)
{
    const char *verdict = record_word(record, "verdict");

    if (strcmp(record_word(record, "record"), "decision") != 0)
        return;
    advance(what_if, record_number(record, "time_us"));
    add(what_if->verdicts[side], verdict);
    if (!strcmp(verdict, "migrate") || !strcmp(verdict, "reconnect"))
        take_move(what_if, side, record);
}

static json_t *side_of(struct what_if *what_if, enum what_if_side side)
{
    return json_pack("{s:I,s:I,s:o,s:o,s:o}", "moves", (json_int_t)what_if->n_moves[side], "only",
                     (json_int_t)what_if->n_only[side], "verdicts", what_if->verdicts[side],
                     "triggers", what_if->triggers[side], "times_us", what_if->times[side]);
}

json_t *what_if_end(struct what_if *what_if)
{
    json_t *ret;

    advance(what_if, UINT64_MAX);
    ret = json_pack("{s:o,s:o,s:I,s:I,s:I,s:o}", "recording", side_of(what_if, WHAT_IF_WAS),
                    "other", side_of(what_if, WHAT_IF_OTHER), "both", (json_int_t)what_if->n_both,
                    "earlier", (json_int_t)what_if->n_earlier, "later",
                    (json_int_t)what_if->n_later, "rows", what_if->rows);
    json_decref(what_if->pending[0]);
    json_decref(what_if->pending[1]);
    free(what_if->waiting);
    free(what_if);
    return ret;
}
