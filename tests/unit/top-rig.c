/* SPDX-License-Identifier: Apache-2.0 */
#include "top-rig.h"

#include <locale.h>

#include "util/util.h"

int top_setup(void **state)
{
    struct top_model *model = memory_new(1, sizeof(*model));

    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        return -1;
    top_init(model, true);
    model->now_us = 1000000000;
    *state = model;
    return 0;
}

int top_teardown(void **state)
{
    top_clear(*state);
    free(*state);
    return 0;
}

json_t *top_peer(const char *name, int conn, const char *condition)
{
    return json_pack("{s:s,s:i,s:s,s:s,s:i,s:s,s:b,s:i,s:i,s:i,s:s}", "peer", name, "conn", conn,
                     "condition", condition, "role", "client", "silent_us", 0, "uplink", "home",
                     "migratable", 1, "looked_us", 100, "rtt_samples", 7, "srtt_us", 41000,
                     "interface", "eth0");
}

json_t *top_answer(int n, int all)
{
    json_t *peers = json_array();

    for (int i = 1; i <= n; i++) {
        char name[16];

        snprintf(name, sizeof(name), "p%d", i);
        json_array_append_new(peers, top_peer(name, i, "up"));
    }
    return json_pack("{s:o,s:{s:i,s:i},s:n}", "peers", peers, "conditions", "up", all, "silent", 0,
                     "next");
}

json_t *top_status(void)
{
    return json_pack("{s:{s:s,s:s,s:s,s:n},s:s,s:b,s:{s:i,s:i},s:{s:i,s:i,s:i},s:[]}", "node",
                     "name", "alpha@h", "path", "/run/node", "state", "up", "silent_us", "mode",
                     "active", "all_held", 0, "peers", "up", 3, "silent", 0, "requests", "open", 2,
                     "queued", 0, "waiting", 0, "reasons");
}

struct top_action top_type(struct top_model *model, const char *text)
{
    struct top_action action = {0};

    for (; *text; text++)
        action = top_key(model, *text == '\n' ? KEY_OF_ENTER : (unsigned char)*text);
    return action;
}

void top_expect(struct top_model *model, int rows, int cols, int row, const char *part)
{
    struct canvas canvas;
    char *text;

    canvas_init(&canvas, rows, cols, model->utf8);
    top_draw(model, &canvas);
    text = canvas_row(&canvas, row < 0 ? rows + row : row);
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in row %d: \"%s\"", part, row, text);
    free(text);
    canvas_clear(&canvas);
}
