/* SPDX-License-Identifier: Apache-2.0 */
/* A record is known again by all of its members: it has its time in microseconds, and its number.
 */
#include "position.h"

#include <string.h>

#include "../util/util.h"
#include "event.h"

/* More than anybody wants to be told of; what is older is counted as missed. */
#define MISSED_MAX 16384u

/* Only of these has pathdog a memory. */
static bool is_kept(const json_t *record)
{
    static const char *const kinds[] = {"decision", "outcome", "effect", "uplink"};

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (!strcmp(member_text(record, "record"), kinds[i]))
            return true;
    return false;
}

void position_clear(struct position *position)
{
    free(position->run);
    json_decref(position->last);
    *position = (struct position){0};
}

void position_enter(struct position *position, const char *run)
{
    if (string_equal(position->run, run))
        return;
    position_clear(position);
    position->run = string_copy(run);
}

void position_move(struct position *position, json_t *record)
{
    if (!is_kept(record))
        return;
    json_decref(position->last);
    position->last = json_incref(record);
}

/* ---- what was missed ---- */

void catch_up_begin(struct catch_up *catch_up, struct position *position, const char *run)
{
    *catch_up =
        (struct catch_up){.first_time = !position->run, .missed = memory_check(json_array())};
    position_enter(position, run);
}

bool catch_up_page(struct catch_up *catch_up, const struct position *position, const json_t *page)
{
    for (size_t i = 0; i < json_array_size(page); i++) {
        json_t *record = json_array_get(page, i);

        if (position->last && json_equal(record, position->last)) {
            catch_up->found = true;
            return false;
        }
        if (json_array_size(catch_up->missed) == MISSED_MAX) {
            catch_up->too_many = true;
            return false;
        }
        json_array_append(catch_up->missed, record);
        if (catch_up->first_time)
            return false; /* the newest is the place */
    }
    return true;
}

json_t *catch_up_end(struct catch_up *catch_up, struct position *position)
{
    json_t *missed = memory_check(json_array());

    for (size_t i = json_array_size(catch_up->missed); i; i--) {
        json_t *record = json_array_get(catch_up->missed, i - 1);

        position_move(position, record);
        if (!catch_up->first_time)
            json_array_append(missed, record);
    }
    catch_up_clear(catch_up);
    return missed;
}

void catch_up_clear(struct catch_up *catch_up)
{
    json_decref(catch_up->missed);
    *catch_up = (struct catch_up){0};
}

/* ---- kept in a file ---- */

char *position_text(const struct position *position, json_t *state)
{
    json_t *object;
    char *text;

    if (!position->run)
        return NULL;
    object = memory_check(json_object());
    member_set_number(object, "version", 1);
    member_set_text(object, "run", position->run);
    if (position->last)
        json_object_set(object, "last", position->last);
    if (state)
        json_object_set(object, "state", state);
    text = memory_check(json_dumps(object, JSON_COMPACT));
    json_decref(object);
    return text;
}

bool position_parse(struct position *position, const char *text, size_t n_bytes, json_t **ret_state)
{
    json_t *object = json_loadb(text, n_bytes, JSON_ALLOW_NUL, NULL);
    json_t *last = json_object_get(object, "last");
    bool good = member_number(object, "version") == 1 && *member_text(object, "run") &&
                (!last || json_is_object(last));

    if (good) {
        position_clear(position);
        position->run = string_copy(member_text(object, "run"));
        position->last = json_incref(last);
        *ret_state = json_incref(json_object_get(object, "state"));
    }
    json_decref(object);
    return good;
}
