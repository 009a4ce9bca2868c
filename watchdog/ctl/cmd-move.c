/* SPDX-License-Identifier: Apache-2.0 */
/* pathdogctl migrate, hold, release, mode, reload: what changes something. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl.h"

#define SPARE_MS  3000  /* after the time given to the node */
#define QUEUED_MS 70000 /* a queued decision is given up after a minute */

static bool is(const json_t *object, const char *name, const char *word)
{
    return !strcmp(text_of(object, name), word);
}

static void show(const struct ctl *ctl, const json_t *record)
{
    if (ctl->options.json)
        show_json(record);
    else
        show_record(ctl, record);
}

static bool passed(const json_t *decision)
{
    return is(decision, "verdict", "migrate") || is(decision, "verdict", "reconnect");
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool is_about(const json_t *record, const json_t *decision)
{
    return number_of(record, "decision") == number_of(decision, "decision");
}

/* Reads until the outcome of this decision has come. */
static enum ctl_status await_outcome(struct ctl *ctl, const json_t *decision)
{
    int64_t until_ms =
        now_ms() +
        (passed(decision) ? (int64_t)number_of(decision, "timeout_ms") + SPARE_MS : QUEUED_MS);
    enum ctl_status result = CTL_GOOD;

    for (;;) {
        int64_t left_ms = until_ms - now_ms();
        json_t *record;
        bool ended = false;

        if (!ctl_next(ctl, left_ms > 0 ? (int)left_ms : 0, &record, &result)) {
            if (result == CTL_GOOD)
                complain("the outcome is not known yet; \"pathdogctl decisions\" will show it");
            return result == CTL_GOOD ? CTL_FAILED : result;
        }
        if (is_about(record, decision) && is(record, "record", "outcome")) {
            show(ctl, record);
            ended = true;
            if (!is(record, "outcome", "migrated") && !is(record, "outcome", "reconnected"))
                result = CTL_FAILED;
        } else if (is_about(record, decision) && is(record, "record", "decision") &&
                   !is(record, "verdict", "queued") && is(decision, "verdict", "queued")) {
            show(ctl, record);
            ended = !passed(record);
            result = ended ? CTL_FAILED : CTL_GOOD;
        }
        json_decref(record);
        if (ended)
            return result;
    }
}

/* It was refused: why, in the words that "explain" has for it. */
static void say_why(struct ctl *ctl, const char *name, const json_t *decision)
{
    enum ctl_status ignored = CTL_GOOD;
    json_t *peer = ctl_call(ctl, "explain", json_pack("{s:s}", "peer", name), &ignored);
    const json_t *gate = json_object_get(peer, "gate");

    for (size_t i = 0; i < json_array_size(gate); i++) {
        const json_t *question = json_array_get(gate, i);

        if (is(question, "kind", "operator") && is(question, "by", text_of(decision, "by")) &&
            is(question, "verdict", text_of(decision, "verdict")))
            complain("no request was sent: %s", text_of(question, "text"));
    }
    json_decref(peer);
}

/* What is decided about it from now on. */
static bool listen_to(struct ctl *ctl, const char *name, enum ctl_status *ret_status)
{
    json_t *params = ctl_records_of(name, 0), *page;

    json_object_set_new(params, "follow", json_true());
    page = ctl_call(ctl, "decisions", params, ret_status);
    json_decref(page);
    return page;
}

static json_t *move_params(const struct ctl *ctl)
{
    const struct options *options = &ctl->options;
    json_t *params = json_object();

    if (options->by)
        json_object_set_new(params, "by", json_string(options->by));
    if (options->interface)
        json_object_set_new(params, "interface", json_string(options->interface));
    if (options->uplink)
        json_object_set_new(params, "uplink", json_string(options->uplink));
    if (options->local)
        json_object_set_new(params, "local", json_string(options->local));
    if (options->via)
        json_object_set_new(params, "via", json_string(options->via));
    return params;
}

enum ctl_status command_migrate(struct ctl *ctl)
{
    enum ctl_status result = CTL_GOOD;
    json_t *peer, *answer = NULL, *decision;
    char *name = NULL, *used = NULL;

    if (ctl->options.by && strcmp(ctl->options.by, "migrate") != 0 &&
        strcmp(ctl->options.by, "reconnect") != 0)
        return usage("--by %s: allowed is migrate or reconnect", ctl->options.by);
    /* first, whom: so that it can be listened to before it is asked for */
    peer = ctl_call_peer(ctl, "explain", NULL, ctl->words[0], &name, &result);
    if (peer && (ctl->options.no_wait || listen_to(ctl, name, &result)))
        answer = ctl_call_peer(ctl, "migrate", move_params(ctl), name, &used, &result);
    decision = json_object_get(answer, "decision");
    if (json_is_object(decision)) {
        show(ctl, decision);
        if (!passed(decision) && !is(decision, "verdict", "queued")) {
            say_why(ctl, name, decision);
            result = CTL_FAILED;
        } else if (!ctl->options.no_wait) {
            fflush(stdout);
            result = await_outcome(ctl, decision);
        }
    } else if (answer) {
        complain("the move was requested, but its records were dropped: too many at once; see "
                 "\"pathdogctl decisions\"");
        result = CTL_FAILED;
    }
    json_decref(peer);
    json_decref(answer);
    free(name);
    free(used);
    return result;
}

/* ---- hold and release ---- */

/* What was refused while it was held or observed only, and is decided now. */
static void show_missed(const json_t *answer)
{
    uint64_t count = number_of(answer, "n_missed");

    if (count)
        printf("%" PRIu64 " peer%s missed a \"moved\" or \"dead\" meanwhile: decided again now; "
               "see \"pathdogctl decisions\"\n",
               count, count == 1 ? "" : "s");
}

/* One hold ends no other: what is still in force. */
static void show_holds(const struct ctl *ctl, const json_t *answer)
{
    const json_t *names = json_object_get(answer, "names");
    uint64_t count = number_of(answer, "n_held");

    if (!ctl->options.all && flag_of(answer, "all_held"))
        puts("all peers are held; \"pathdogctl release --all\" ends the hold");
    if (!ctl->options.all || !count)
        return;
    printf("%" PRIu64 " %s still held by name: ", count, count == 1 ? "is" : "are");
    for (size_t i = 0; i < json_array_size(names); i++)
        printf("%s%s", i ? ", " : "", text_at(names, i));
    if (count > json_array_size(names))
        printf(" and %" PRIu64 " more", count - json_array_size(names));
    puts("; \"pathdogctl release PEER\" ends the hold");
}

static void show_hold(const struct ctl *ctl, const json_t *answer, const char *name)
{
    const struct options *options = &ctl->options;
    bool held = flag_of(answer, "held");

    if (options->uplink)
        printf("uplink %s is ", text_of(answer, "uplink"));
    else if (name)
        printf("%s is ", clean(name, strlen(name)));
    else
        printf("all peers are ");
    if (held && options->for_us)
        printf("held for %s", span_text(options->for_us));
    else
        printf(held ? "held until released" : "released");
    if (options->uplink)
        printf(held ? ": its connections are moved to others, and none is moved to it"
                    : ": connections may use it again");
    putchar('\n');
    show_missed(answer);
    if (!held && !options->uplink)
        show_holds(ctl, answer);
}

static enum ctl_status change_hold(struct ctl *ctl, const char *method, json_t *params)
{
    enum ctl_status result = CTL_GOOD;
    const struct options *options = &ctl->options;
    char *name = NULL;
    json_t *answer;

    if (!!ctl->n_words + options->all + !!options->uplink != 1) {
        json_decref(params);
        return usage("%s PEER, %s --uplink NAME, or %s --all", method, method, method);
    }
    if (options->uplink && options->absent) {
        json_decref(params);
        return usage("--absent is about peers: it does not go together with --uplink");
    }
    if (options->all)
        json_object_set_new(params, "all", json_true());
    if (options->uplink)
        json_object_set_new(params, "uplink", json_string(options->uplink));
    if (ctl->n_words)
        answer = ctl_call_peer(ctl, method, params, ctl->words[0], &name, &result);
    else
        answer = ctl_call(ctl, method, params, &result);
    if (answer && options->json)
        show_json(answer);
    else if (answer)
        show_hold(ctl, answer, name);
    json_decref(answer);
    free(name);
    return result;
}

enum ctl_status command_hold(struct ctl *ctl)
{
    json_t *params = json_object();

    if (ctl->options.for_us)
        json_object_set_new(params, "for_us", json_integer((json_int_t)ctl->options.for_us));
    if (ctl->options.absent)
        json_object_set_new(params, "absent", json_true());
    return change_hold(ctl, "hold", params);
}

enum ctl_status command_release(struct ctl *ctl)
{
    return change_hold(ctl, "release", json_pack("{s:b}", "if_held", true));
}

/* ---- mode and reload ---- */

enum ctl_status command_mode(struct ctl *ctl)
{
    enum ctl_status result = CTL_GOOD;
    json_t *params = json_object(), *answer;

    if (ctl->n_words && strcmp(ctl->words[0], "active") != 0 &&
        strcmp(ctl->words[0], "observe") != 0) {
        json_decref(params);
        return usage("mode %s: allowed is active or observe", ctl->words[0]);
    }
    if (ctl->n_words)
        json_object_set_new(params, "mode", json_string(ctl->words[0]));
    answer = ctl_call(ctl, "mode", params, &result);
    if (answer && ctl->options.json)
        show_json(answer);
    else if (answer && strcmp(text_of(answer, "mode"), text_of(answer, "before")) != 0)
        printf(
            "the mode is %s now, until \"mode\" in the configuration changes, or a restart; it was "
            "%s\n",
            text_of(answer, "mode"), text_of(answer, "before"));
    else if (answer)
        printf("the mode is %s\n", text_of(answer, "mode"));
    if (answer && !ctl->options.json)
        show_missed(answer);
    json_decref(answer);
    return result;
}

enum ctl_status command_reload(struct ctl *ctl)
{
    enum ctl_status result = CTL_GOOD;
    json_t *answer = ctl_call(ctl, "reload", NULL, &result);

    if (answer && ctl->options.json)
        show_json(answer);
    else if (has(answer, "not_in_force"))
        printf("the configuration has been read again; not in force before a restart (systemctl "
               "restart pathdog): %s\n",
               text_of(answer, "not_in_force"));
    else if (answer)
        puts("the configuration has been read again and is in force");
    if (has(answer, "not_in_force"))
        result = CTL_FAILED;
    json_decref(answer);
    return result;
}
