/* SPDX-License-Identifier: Apache-2.0 */
/* What a key does. */
#include <stdio.h>
#include <string.h>

#include "../../util/duration.h"
#include "../../util/printable.h"
#include "../../util/util.h"
#include "../members.h"
#include "model.h"

#define HOLD_OFFERED "10min"

static const struct top_action nothing = {.what = DO_NOTHING}, ask = {.what = DO_ASK},
                               quit = {.what = DO_QUIT}, redraw = {.what = DO_REDRAW};

/* ---- the line that is typed ---- */

static void input_add(struct top_model *model, uint32_t key)
{
    size_t length = strlen(model->input);
    char *end = model->input + length;

    if (key < 0x20 || key > 0x10ffff || !character_is_shown(key) ||
        length + 5 > sizeof(model->input))
        return;
    if (key < 0x80) {
        *end++ = (char)key;
    } else if (key < 0x800) {
        *end++ = (char)(0xc0 | key >> 6);
        *end++ = (char)(0x80 | (key & 0x3f));
    } else {
        if (key < 0x10000) {
            *end++ = (char)(0xe0 | key >> 12);
        } else {
            *end++ = (char)(0xf0 | key >> 18);
            *end++ = (char)(0x80 | (key >> 12 & 0x3f));
        }
        *end++ = (char)(0x80 | (key >> 6 & 0x3f));
        *end++ = (char)(0x80 | (key & 0x3f));
    }
    *end = '\0';
}

static void input_take_back(struct top_model *model)
{
    size_t length = strlen(model->input);

    while (length && (model->input[length - 1] & 0xc0) == 0x80)
        length--; /* the rest of a character */
    model->input[length ? length - 1 : 0] = '\0';
}

/* Tab: the next uplink. */
static void input_next_uplink(struct top_model *model)
{
    size_t n = json_array_size(model->uplinks), next = 0;

    for (size_t i = 0; i < n; i++) {
        const char *name = text_of(json_array_get(model->uplinks, i), "uplink");

        if (!strcmp(model->input, name))
            next = i + 1;
    }
    snprintf(model->input, sizeof(model->input), "%s",
             next < n ? text_of(json_array_get(model->uplinks, next), "uplink") : "");
}

static void prompt(struct top_model *model, enum top_prompt what, const char *text)
{
    char kept[TOP_INPUT_SIZE];

    snprintf(kept, sizeof(kept), "%s", text); /* it may be in `input` */
    model->prompt = what;
    *model->message = '\0';
    memcpy(model->input, kept, sizeof(kept));
}

static const char *peer_name(const json_t *peer)
{
    return json_string_value(json_object_get(peer, "peer"));
}

/* About the peer under the cursor, whatever comes to stand there meanwhile. */
static void prompt_peer(struct top_model *model, enum top_prompt what, const char *text)
{
    const char *name = peer_name(top_selected(model));

    if (!name) {
        top_say(model, true, "there is no peer to %s", what == PROMPT_HOLD ? "hold" : "move");
        return;
    }
    snprintf(model->asked, sizeof(model->asked), "%s", name);
    prompt(model, what, text);
}

static struct top_action about(const struct top_model *model, enum top_do what)
{
    struct top_action action = {.what = what};

    memcpy(action.peer, model->asked, sizeof(action.peer));
    return action;
}

static struct top_action take_hold(struct top_model *model)
{
    struct top_action action = about(model, DO_HOLD);
    const char *why = "";

    if (*model->input && duration_parse(model->input, &action.for_us, &why) < 0)
        top_say(model, true, "\"%s\" %s: allowed is a time like 90s or 10min, or nothing",
                model->input, why);
    else if (*model->input && !action.for_us)
        top_say(model, true, "\"%s\": allowed is a time above 0, or nothing", model->input);
    else
        return action;
    return nothing;
}

static struct top_action take_filter(struct top_model *model)
{
    memcpy(model->filter, model->input, sizeof(model->filter));
    model->offset = 0;
    model->cursor = 0;
    *model->selected = '\0';
    return ask;
}

static struct top_action prompt_end(struct top_model *model)
{
    enum top_prompt what = model->prompt;

    model->prompt = PROMPT_NONE;
    if (what == PROMPT_FILTER)
        return take_filter(model);
    if (what == PROMPT_HOLD)
        return take_hold(model);
    memcpy(model->uplink, model->input, sizeof(model->uplink));
    prompt(model, PROMPT_CONFIRM, "");
    return nothing;
}

static struct top_action confirm_key(struct top_model *model, uint32_t key)
{
    struct top_action action = about(model, DO_MOVE);

    model->prompt = PROMPT_NONE;
    if (key != 'y' && key != 'Y') {
        top_say(model, false, "not moved");
        return nothing;
    }
    memcpy(action.uplink, model->uplink, sizeof(action.uplink));
    return action;
}

static struct top_action prompt_key(struct top_model *model, uint32_t key)
{
    if (key == KEY_OF_ESCAPE)
        model->prompt = PROMPT_NONE;
    else if (key == KEY_OF_REDRAW)
        return redraw;
    else if (model->prompt == PROMPT_CONFIRM)
        return confirm_key(model, key);
    else if (key == KEY_OF_ENTER)
        return prompt_end(model);
    else if (key == KEY_OF_BACKSPACE)
        input_take_back(model);
    else if (key == KEY_OF_TAB && model->prompt == PROMPT_MOVE)
        input_next_uplink(model);
    else
        input_add(model, key);
    return nothing;
}

/* ---- moving about ---- */

/* How far a key goes, in lines; 0: it is no such key. */
static int step_of(uint32_t key, int page)
{
    switch (key) {
    case KEY_OF_UP:
    case 'k':
        return -1;
    case KEY_OF_DOWN:
    case 'j':
        return 1;
    case KEY_OF_PAGE_UP:
        return page > 1 ? 1 - page : -1;
    case KEY_OF_PAGE_DOWN:
        return page > 1 ? page - 1 : 1;
    case KEY_OF_HOME:
    case 'g':
        return -TOP_ROWS_MOST * 100;
    case KEY_OF_END:
    case 'G':
        return TOP_ROWS_MOST * 100;
    default:
        return 0;
    }
}

static void scroll_text(struct top_model *model, int step)
{
    int last = model->text_lines - model->text_page;

    model->text_offset += step;
    if (model->text_offset > last)
        model->text_offset = last;
    if (model->text_offset < 0)
        model->text_offset = 0;
}

static struct top_action move_cursor(struct top_model *model, int step)
{
    int n = (int)json_array_size(model->peers), to = model->cursor + step;

    if (to >= TOP_ROWS_MOST && n == TOP_ROWS_MOST)
        top_say(model, false, "the first %d are listed: / shows others, s sorts", TOP_ROWS_MOST);
    model->to_end = to >= TOP_ROWS_MOST && n < TOP_ROWS_MOST;
    top_select(model, to);
    /* there may be more than were asked for */
    return n && to + model->page >= n ? ask : nothing;
}

static void view_set(struct top_model *model, enum top_view view)
{
    model->view = view;
    model->text_offset = 0;
    *model->message = '\0';
}

static struct top_action explain(struct top_model *model)
{
    const char *name = peer_name(top_selected(model));

    if (!name) {
        top_say(model, true, "there is no peer to explain");
        return nothing;
    }
    snprintf(model->explained, sizeof(model->explained), "%s", name);
    free(model->text);
    model->text = NULL;
    view_set(model, VIEW_EXPLAIN);
    return ask;
}

static struct top_action release(struct top_model *model)
{
    const char *name = peer_name(top_selected(model));

    if (!name) {
        top_say(model, true, "there is no peer to release");
        return nothing;
    }
    snprintf(model->asked, sizeof(model->asked), "%s", name);
    return about(model, DO_RELEASE);
}

static struct top_action sort_next(struct top_model *model)
{
    model->sort = top_sorts[model->sort + 1] ? model->sort + 1 : 0;
    model->offset = 0;
    model->cursor = 0;
    *model->selected = '\0';
    return ask;
}

static struct top_action pause_turn(struct top_model *model)
{
    model->paused = !model->paused;
    return model->paused ? nothing : ask;
}

static struct top_action pane_key(struct top_model *model, uint32_t key)
{
    int step = step_of(key, model->text_page);

    if (step)
        scroll_text(model, step);
    else if (key == 'p' || key == ' ')
        return pause_turn(model);
    else if (key == KEY_OF_ESCAPE || key == 'q' || key == KEY_OF_ENTER || key == '?' ||
             key == 'e' || key == 'd')
        view_set(model, VIEW_PEERS);
    return nothing;
}

/* Takes back what is in the way, one thing after the other. */
static struct top_action escape(struct top_model *model)
{
    if (*model->message) {
        *model->message = '\0';
        return nothing;
    }
    if (!*model->filter)
        return nothing;
    *model->input = '\0';
    return take_filter(model);
}

static struct top_action command_key(struct top_model *model, uint32_t key)
{
    switch (key) {
    case 'q':
        return quit;
    case '?':
        view_set(model, VIEW_HELP);
        return nothing;
    case 'd':
        view_set(model, VIEW_DECISIONS);
        return nothing;
    case 'e':
    case KEY_OF_ENTER:
        return explain(model);
    case 'h':
        prompt_peer(model, PROMPT_HOLD, HOLD_OFFERED);
        return nothing;
    case 'r':
        return release(model);
    case 'm':
        prompt_peer(model, PROMPT_MOVE, "");
        return nothing;
    case '/':
        prompt(model, PROMPT_FILTER, model->filter);
        return nothing;
    case 's':
        return sort_next(model);
    case 'p':
    case ' ':
        return pause_turn(model);
    case KEY_OF_ESCAPE:
        return escape(model);
    default:
        return nothing;
    }
}

struct top_action top_key(struct top_model *model, uint32_t key)
{
    int step = step_of(key, model->page);

    if (model->prompt != PROMPT_NONE)
        return prompt_key(model, key);
    if (key == KEY_OF_REDRAW)
        return redraw;
    if (model->view != VIEW_PEERS)
        return pane_key(model, key);
    return step ? move_cursor(model, step) : command_key(model, key);
}
