/* SPDX-License-Identifier: Apache-2.0 */
#include "app.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "../../util/util.h"

#define ROUND_US     UINT64_C(1000000)
#define SOON_US      UINT64_C(250000)  /* after a record */
#define SHARE        20u               /* of the time at most a part of this is a round */
#define UPLINKS_US   UINT64_C(5000000) /* for their counts, the daemon walks over all peers */
#define RETRY_US     UINT64_C(500000)
#define SILENT_US    UINT64_C(3000000)
#define LAST_RECORDS 10

void app_init(struct app *app, struct ctl *ctl, bool utf8)
{
    *app = (struct app){.ctl = ctl};
    app->feed.path = ctl->options.socket;
    top_init(&app->model, utf8);
}

static void forget_round(struct app *app)
{
    json_decref(app->pages);
    json_decref(app->uplinks);
    json_decref(app->explain);
    app->pages = app->uplinks = app->explain = NULL;
    app->asking = app->again = false;
}

void app_clear(struct app *app)
{
    forget_round(app);
    feed_close(&app->feed);
    top_clear(&app->model);
}

/* ---- connected, or not ---- */

static const char *why_text(int error)
{
    switch (error) {
    case -ENOENT:
        return "there is no socket";
    case -ECONNREFUSED:
        return "no process listens";
    case -EACCES:
    case -EPERM:
        return "permission denied";
    case -EAGAIN:
        return "it accepts no connections";
    case -ECONNRESET:
    case -EPIPE:
        return "it closed the connection";
    case -EBADMSG:
        return "its answer is not JSON";
    default:
        return strerror(-error);
    }
}

static void app_lost(struct app *app, int error, const char *why)
{
    forget_round(app);
    feed_close(&app->feed);
    top_link_set(&app->model, LINK_DOWN, why && *why ? why : why_text(error));
    app->open_at = add_u64(app->model.now_us, RETRY_US);
    app->moved = 0;
    app->drawn = false;
}

static bool ask(struct app *app, enum about about, const char *method, json_t *params)
{
    int r = feed_ask(&app->feed, app->model.now_us, about, app->round, method, params);

    if (r < 0 && r != -EBUSY)
        app_lost(app, r, NULL);
    return r == 0;
}

/* The last ones, and from then on all that come. */
static void ask_records(struct app *app)
{
    ask(app, ABOUT_RECORDS, "decisions",
        json_pack("{s:i,s:b}", "limit", (int)TOP_RECORDS_MOST, "follow", 1));
}

static void connect_again(struct app *app)
{
    int r = feed_open(&app->feed);

    app->open_at = add_u64(app->model.now_us, RETRY_US);
    app->drawn = false;
    if (r < 0) {
        top_link_set(&app->model, LINK_DOWN, why_text(r));
        return;
    }
    app->next_us = app->uplinks_us = 0;
    ask_records(app);
}

/* ---- a round ---- */

static bool ask_peers(struct app *app, const json_t *after)
{
    char *match = top_match(&app->model);
    json_t *params = json_pack("{s:s,s:I}", "sort", top_sort(&app->model), "limit",
                               (json_int_t)top_wanted(&app->model));

    if (match)
        json_object_set_new(params, "match", json_string(match));
    if (after)
        json_object_set_new(params, "after", json_integer(json_integer_value(after)));
    free(match);
    return ask(app, ABOUT_PEERS, "peers", params);
}

static void begin_round(struct app *app)
{
    struct top_model *model = &app->model;

    forget_round(app);
    app->round++;
    app->asking = true;
    app->round_us = model->now_us;
    if (!ask(app, ABOUT_STATUS, "status", NULL) || !ask_peers(app, NULL))
        return;
    if (model->now_us >= app->uplinks_us) {
        app->uplinks_us = add_u64(model->now_us, UPLINKS_US);
        if (!ask(app, ABOUT_UPLINKS, "uplinks", NULL))
            return;
    }
    if (model->view == VIEW_EXPLAIN &&
        ask(app, ABOUT_EXPLAIN, "explain", json_pack("{s:s}", "peer", model->explained)))
        ask(app, ABOUT_LAST, "decisions", ctl_records_of(model->explained, LAST_RECORDS));
}

static bool round_is_open(const struct app *app)
{
    for (size_t i = 0; i < app->feed.n_asked; i++)
        if (app->feed.asked[i].round == app->round && app->feed.asked[i].about <= ABOUT_LAST &&
            app->feed.asked[i].about != ABOUT_RECORDS)
            return true;
    return false;
}

static void end_round(struct app *app)
{
    uint64_t took_us = sub_u64(app->model.now_us, app->round_us);

    if (!app->asking || round_is_open(app))
        return;
    app->asking = false;
    app->next_us = add_u64(app->round_us, max_u64(ROUND_US, SHARE * took_us));
    if (app->again)
        app->next_us = app->model.now_us;
    app->again = false;
}

/* Not more often than four times a second, whatever happens. */
static void round_soon(struct app *app)
{
    app->next_us = min_u64(app->next_us, add_u64(app->round_us, SOON_US));
}

static void round_now(struct app *app)
{
    app->next_us = app->model.now_us;
    if (app->asking)
        app->again = true;
}

/* ---- answers ---- */

static void take_peers(struct app *app, const json_t *result)
{
    json_t *page = json_incref((json_t *)(uintptr_t)result);

    top_merge(&app->pages, page, top_sort(&app->model), top_wanted(&app->model));
    if (json_is_integer(json_object_get(app->pages, "next"))) {
        ask_peers(app, json_object_get(app->pages, "next"));
        return;
    }
    top_take_peers(&app->model, app->pages);
    app->pages = NULL;
}

static void take_uplinks(struct app *app, const json_t *result)
{
    if (!app->uplinks)
        app->uplinks = json_deep_copy(result);
    else
        uplinks_merge(json_object_get(app->uplinks, "uplinks"), json_object_get(result, "uplinks"));
    if (json_is_integer(json_object_get(result, "next"))) {
        ask(app, ABOUT_UPLINKS, "uplinks",
            json_pack("{s:I}", "after", (json_int_t)number_of(result, "next")));
        return;
    }
    top_take_uplinks(&app->model, json_incref(json_object_get(app->uplinks, "uplinks")));
    json_decref(app->uplinks);
    app->uplinks = NULL;
}

static void show_explained(struct app *app, const json_t *records)
{
    const char *peer = json_string_value(json_object_get(app->explain, "peer"));
    char *text = NULL;
    size_t length;
    FILE *out = peer ? open_memstream(&text, &length) : NULL;
    bool colour = app->ctl->colour;

    if (!out) /* or what came is no explanation */
        return;
    app->ctl->colour = false;
    write_explain(out, app->ctl, app->explain, records);
    app->ctl->colour = colour;
    fclose(out);
    top_take_text(&app->model, peer, text);
}

static const char *shown_name(const json_t *object)
{
    return text_of(object, "peer");
}

static void say_held(struct app *app, const struct answer *answer)
{
    const char *name = shown_name(answer->result);

    if (answer->asked.about == ABOUT_HOLD)
        top_say(&app->model, false, "%s is held: only moves that operators ask for are made", name);
    else
        top_say(&app->model, false, "%s is released%s", name,
                flag_of(answer->result, "all_held") ? ", but all peers are held" : "");
}

static void say_moved(struct app *app, const json_t *decision)
{
    const char *verdict = text_of(decision, "verdict");

    if (has(decision, "request") || !strcmp(verdict, "queued")) {
        app->moved = number_of(decision, "decision");
        top_say(&app->model, false, "%s: %s, waiting for the answer", shown_name(decision),
                verdict);
    } else {
        top_say(&app->model, true, "%s is not moved: %s (e explains)", shown_name(decision),
                verdict);
    }
}

static void say_error(struct app *app, const struct answer *answer)
{
    if (answer->asked.about == ABOUT_EXPLAIN)
        top_take_text(&app->model, app->model.explained, string_copy(answer->error));
    else if (answer->asked.about != ABOUT_LAST)
        top_say(&app->model, true, "%s", answer->error);
}

static void take_result(struct app *app, const struct answer *answer)
{
    json_t *result = (json_t *)(uintptr_t)answer->result;

    switch (answer->asked.about) {
    case ABOUT_STATUS:
        top_take_status(&app->model, json_incref(result));
        break;
    case ABOUT_PEERS:
        take_peers(app, result);
        break;
    case ABOUT_UPLINKS:
        take_uplinks(app, result);
        break;
    case ABOUT_RECORDS:
        top_take_records(&app->model, json_incref(json_object_get(result, "records")));
        break;
    case ABOUT_EXPLAIN:
        json_decref(app->explain);
        app->explain = json_incref(result);
        break;
    case ABOUT_LAST:
        if (app->explain)
            show_explained(app, json_object_get(result, "records"));
        break;
    case ABOUT_HOLD:
    case ABOUT_RELEASE:
        say_held(app, answer);
        round_now(app);
        break;
    case ABOUT_MOVE:
        say_moved(app, json_object_get(result, "decision"));
        round_now(app);
        break;
    }
}

static void on_answer(void *user, const struct answer *answer)
{
    struct app *app = user;
    bool command = answer->asked.about >= ABOUT_HOLD, old = answer->asked.round != app->round;

    app->drawn = false;
    if (app->model.link != LINK_UP)
        top_link_set(&app->model, LINK_UP, "");
    if (old && !command && answer->asked.about != ABOUT_RECORDS)
        return;
    if (answer->result)
        take_result(app, answer);
    else
        say_error(app, answer);
    end_round(app);
}

static void on_record(void *user, const json_t *record)
{
    struct app *app = user;
    uint64_t decision = number_of(record, "decision");

    app->drawn = false;
    if (app->moved && decision == app->moved && has(record, "outcome")) {
        bool good = !strncmp(text_of(record, "outcome"), "migrated", 8) ||
                    !strcmp(text_of(record, "outcome"), "reconnected");

        top_say(&app->model, !good, "%s: %s after %s", shown_name(record),
                text_of(record, "outcome"), span_of(record, "elapsed_us"));
        app->moved = 0;
    }
    top_take_record(&app->model, json_incref((json_t *)(uintptr_t)record));
    round_soon(app);
}

static void on_dropped(void *user, uint64_t count)
{
    struct app *app = user;

    app->drawn = false;
    top_say(&app->model, false, "%" PRIu64 " records came too fast to be shown", count);
}

/* ---- what is done ---- */

void app_read(struct app *app, uint64_t now_us)
{
    const struct feed_handler handler = {
        .user = app, .answer = on_answer, .record = on_record, .dropped = on_dropped};
    char why[160];
    int r;

    app->model.now_us = now_us;
    r = feed_read(&app->feed, &handler, why);
    if (r < 0)
        app_lost(app, r, why);
}

void app_turn(struct app *app, uint64_t now_us)
{
    uint64_t since_us;

    app->model.now_us = now_us;
    if (top_forget_message(&app->model))
        app->drawn = false;
    if (!app->feed.channel && now_us >= app->open_at)
        connect_again(app);
    if (!app->feed.channel)
        return;
    since_us = feed_waits_since(&app->feed);
    if (since_us && now_us >= since_us + SILENT_US) {
        if (app->model.link == LINK_UP)
            top_link_set(&app->model, LINK_SILENT, "");
        app->drawn = false; /* it says for how long */
    }
    if (!app->asking && !app->model.paused && now_us >= app->next_us)
        begin_round(app);
}

uint64_t app_due(const struct app *app)
{
    uint64_t tick_us = add_u64(app->model.now_us, ROUND_US);

    if (!app->feed.channel)
        return app->open_at;
    if (app->feed.more)
        return app->model.now_us;
    if (app->asking || app->model.paused)
        return tick_us;
    return min_u64(tick_us, app->next_us);
}

void app_do(struct app *app, uint64_t now_us, const struct top_action *action)
{
    json_t *params = json_pack("{s:s}", "peer", action->peer);

    app->model.now_us = now_us;
    app->drawn = false;
    if (action->what == DO_ASK) {
        round_now(app);
        if (app->model.n_missed && !app->model.paused && app->feed.channel)
            ask_records(app);
    } else if (action->what == DO_HOLD || action->what == DO_RELEASE || action->what == DO_MOVE) {
        if (!app->feed.channel)
            top_say(&app->model, true, "pathdog is away: nothing was done");
        if (action->what == DO_HOLD && action->for_us)
            json_object_set_new(params, "for_us", json_integer((json_int_t)action->for_us));
        if (action->what == DO_RELEASE)
            json_object_set_new(params, "if_held", json_true());
        if (action->what == DO_MOVE && *action->uplink)
            json_object_set_new(params, "uplink", json_string(action->uplink));
        if (app->feed.channel)
            ask(app,
                action->what == DO_HOLD      ? ABOUT_HOLD
                : action->what == DO_RELEASE ? ABOUT_RELEASE
                                             : ABOUT_MOVE,
                action->what == DO_HOLD      ? "hold"
                : action->what == DO_RELEASE ? "release"
                                             : "migrate",
                json_incref(params));
    }
    json_decref(params);
}
