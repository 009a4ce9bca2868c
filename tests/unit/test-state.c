/* SPDX-License-Identifier: Apache-2.0 */
/* state/text.[ch] and keeper.[ch]: what is in the file, and who keeps it. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine-lab.h"
#include "state/file.h"
#include "state/keeper.h"
#include "state/text.h"

#define SAID_MAX 8

struct rig {
    char directory[64], file[96];
    sd_event *loop;
    struct keeper *keeper;
    struct lock lock;
    struct lab lab;
    char *error;          /* of the last load */
    char *said[SAID_MAX]; /* "what: text" */
    size_t n_said;
};

/* ---- the rig ---- */

static void on_notice(void *user, enum pd_level level, const char *what, const char *text)
{
    struct rig *rig = user;

    assert_true(rig->n_said < SAID_MAX && level <= PD_LEVEL_NOTICE);
    assert_true(asprintf(&rig->said[rig->n_said++], "%s: %s", what, text) > 0);
}

static const char *said(struct rig *rig, size_t i)
{
    return i < rig->n_said ? rig->said[i] : "";
}

static int setup(void **state)
{
    struct rig *rig = memory_new(1, sizeof(*rig));

    rig->lock.fd = -1;
    snprintf(rig->directory, sizeof(rig->directory), "/tmp/test-state-XXXXXX");
    assert_non_null(mkdtemp(rig->directory));
    snprintf(rig->file, sizeof(rig->file), "%s/%s", rig->directory, STATE_FILE);
    assert_true(sd_event_new(&rig->loop) >= 0);
    lab_init(&rig->lab);
    lab_begin(&rig->lab);
    *state = rig;
    return 0;
}

static void clear(const char *directory)
{
    char command[256];

    snprintf(command, sizeof(command), "chmod -R u+w %s && rm -rf %s", directory, directory);
    assert_int_equal(system(command), 0);
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    keeper_free(rig->keeper);
    lock_drop(&rig->lock);
    free(rig->error);
    lab_end(&rig->lab);
    sd_event_unref(rig->loop);
    for (size_t i = 0; i < rig->n_said; i++)
        free(rig->said[i]);
    clear(rig->directory);
    free(rig);
    return 0;
}

static int begin_at(struct rig *rig, const char *directory, const char *boot, struct event *event)
{
    const struct keeper_config config = {
        .loop = rig->loop,
        .directory = directory,
        .lock = &rig->lock,
        .kernel_boot = boot,
        .retry_us = 50000,
        .notice = on_notice,
        .user = rig,
    };

    keeper_free(rig->keeper);
    assert_int_equal(keeper_new(&config, &rig->keeper), 0);
    free(rig->error);
    rig->error = NULL;
    return keeper_load(rig->keeper, event, &rig->error);
}

static int begin(struct rig *rig, struct event *event)
{
    return begin_at(rig, rig->directory, "kernel-1", event);
}

static void write_file(const char *path, const char *bytes, size_t length)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static char *read_file(struct rig *rig)
{
    char *bytes = NULL;
    size_t length;

    if (file_load(rig->directory, STATE_FILE, &bytes, &length) < 0)
        return string_copy("");
    return bytes;
}

static bool file_has(struct rig *rig, const char *text)
{
    char *bytes = read_file(rig);
    bool has = strstr(bytes, text);

    free(bytes);
    return has;
}

/* An event that may have taught something. */
static void touch(struct rig *rig)
{
    const struct event event = {.type = EVENT_PEER_UP};

    keeper_event(rig->keeper, &event, engine_outbox(rig->lab.engine));
}

/* Turns the loop until the file says so, a minute at most. */
static bool turn_until(struct rig *rig, const char *text, size_t n_said)
{
    for (unsigned i = 0; i < 6000; i++) {
        if ((!text || file_has(rig, text)) && rig->n_said >= n_said)
            return true;
        assert_true(sd_event_run(rig->loop, 10000) >= 0);
    }
    return false;
}

/* ---- the text ---- */

static void good_text(struct buffer *out)
{
    struct learnt_peer peer = {.peer = "a", .conn = 7, .disabled = true};
    struct state state = {.kernel_boot = "k", .learnt = {.node_boot = "n"}};

    state_encode_head(out, &state);
    learnt_encode_peers(out);
    learnt_encode_peer(out, &peer, "\n");
    state_encode_end(out);
}

static void every_cut_is_noticed(void **unused)
{
    struct buffer text = {0};
    struct arena arena = {0};
    struct state state;
    char error[200];

    good_text(&text);
    assert_int_equal(
        state_decode(buffer_bytes(&text), text.length, &arena, &state, error, sizeof(error)), 0);
    assert_false(state.clean);
    assert_string_equal(state.kernel_boot, "k");
    assert_string_equal(state.learnt.node_boot, "n");
    assert_int_equal(state.learnt.n_peers, 1);
    assert_true(state.learnt.peers[0].disabled && state.learnt.peers[0].conn == 7);
    for (size_t length = 0; length < text.length - 1; length++) { /* the last is the LF */
        arena_reset(&arena);
        *error = '\0';
        assert_int_equal(
            state_decode(buffer_bytes(&text), length, &arena, &state, error, sizeof(error)),
            -EBADMSG);
        assert_true(*error);
    }
    arena_clear(&arena);
    buffer_clear(&text);
}

static void bad_texts(void **unused)
{
    static const char *const texts[] = {
        "[]",
        "{}",
        "{\"pathdog\":\"recording\",\"version\":1}",
        "{\"pathdog\":\"state\",\"version\":2,\"clean\":true,\"kernel_boot\":\"k\","
        "\"learnt\":{\"names\":[],\"peers\":[]}}",
        "{\"pathdog\":\"state\",\"version\":1,\"clean\":1,\"kernel_boot\":\"k\","
        "\"learnt\":{\"names\":[],\"peers\":[]}}",
        "{\"pathdog\":\"state\",\"version\":1,\"clean\":true,"
        "\"learnt\":{\"names\":[],\"peers\":[]}}",
        "{\"pathdog\":\"state\",\"version\":1,\"clean\":true,\"kernel_boot\":\"k\","
        "\"learnt\":{\"names\":[]}}",
        "{\"pathdog\":\"state\",\"version\":1,\"clean\":true,\"kernel_boot\":\"k\","
        "\"learnt\":{\"names\":[{\"peer\":\"\"}],\"peers\":[]}}",
        "{\"pathdog\":\"state\",\"version\":1,\"clean\":true,\"kernel_boot\":\"k\","
        "\"learnt\":{\"names\":[],\"peers\":[{\"peer\":\"a\"}]}}",
        "{\"pathdog\":\"state\",\"version\":1,\"clean\":true,\"kernel_boot\":\"k\","
        "\"learnt\":{\"names\":[],\"peers\":[{\"peer\":\"a\",\"conn\":1,\"tokens_used\":-1}]}}",
        "{\"pathdog\":\"state\",\"version\":1,\"clean\":true,\"kernel_boot\":\"k\","
        "\"learnt\":{\"names\":[],\"peers\":[{\"peer\":\"a\",\"conn\":1,\"saved\":[]}]}}",
        "{\"pathdog\":\"state\",\"version\":1,\"clean\":true,\"kernel_boot\":\"k\","
        "\"learnt\":{\"names\":[],\"peers\":[{\"peer\":\"a\",\"conn\":1,"
        "\"saved\":{\"a\\tb\":\"x\"}}]}}",
    };
    struct arena arena = {0};
    struct state state;
    char error[200];

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        *error = '\0';
        assert_int_equal(
            state_decode(texts[i], strlen(texts[i]), &arena, &state, error, sizeof(error)),
            -EBADMSG);
        assert_true(*error);
    }
    arena_clear(&arena);
}

/* ---- the keeper ---- */

static void there_and_back(void **state)
{
    struct rig *rig = *state;
    struct event event;

    assert_int_equal(begin(rig, &event), 0);
    assert_int_equal(rig->n_said, 0); /* a first run has nothing to say */
    keeper_start(rig->keeper, rig->lab.engine);
    assert_true(file_has(rig, "\"clean\":false"));
    lab_peer_up(&rig->lab, "a", 17);
    lab_hold(&rig->lab, "b", 0);
    touch(rig);
    assert_true(turn_until(rig, "\"conn\":17", 0));
    assert_true(file_has(rig, "\"clean\":false"));
    keeper_stop(rig->keeper);
    assert_int_equal(keeper_wait(rig->keeper, UINT64_MAX), 0);
    assert_true(file_has(rig, "\"clean\":true"));
    assert_int_equal(begin(rig, &event), 1);
    assert_int_equal(event.type, EVENT_RESTORE);
    assert_string_equal(event.restore.node_boot, "boot");
    assert_int_equal(event.restore.n_peers, 1);
    assert_int_equal(event.restore.peers[0].conn, 17);
    assert_string_equal(event.restore.peers[0].saved[0].trigger, "poke");
    assert_int_equal(event.restore.n_names, 1);
    assert_true(event.restore.names[0].held);
    assert_int_equal(rig->n_said, 0);
}

static void unclean(void **state)
{
    struct rig *rig = *state;
    struct event event;

    (void)begin(rig, &event);
    keeper_start(rig->keeper, rig->lab.engine);
    (void)begin(rig, &event); /* as after a kill */
    assert_int_equal(rig->n_said, 1);
    assert_memory_equal(said(rig, 0), "unclean-stop: ", 14);
    keeper_start(rig->keeper, rig->lab.engine);
    keeper_stop(rig->keeper);
    assert_int_equal(keeper_wait(rig->keeper, UINT64_MAX), 0);
    (void)begin(rig, &event);
    assert_int_equal(rig->n_said, 1);
}

static void another_boot(void **state)
{
    struct rig *rig = *state;
    struct event event;

    (void)begin(rig, &event);
    lab_peer_up(&rig->lab, "a", 17);
    keeper_start(rig->keeper, rig->lab.engine);
    keeper_stop(rig->keeper);
    assert_int_equal(keeper_wait(rig->keeper, UINT64_MAX), 0);
    assert_int_equal(begin_at(rig, rig->directory, "kernel-2", &event), 0);
    assert_int_equal(rig->n_said, 1);
    assert_memory_equal(said(rig, 0), "state-not-used: ", 16);
    assert_int_equal(begin(rig, &event), 1);
    assert_int_equal(event.restore.n_peers, 1);
}

static void malformed(void **state)
{
    static const char *const texts[] = {"", "\xff\0rubbish", "{\"version\":1,\"peers\":["};
    struct rig *rig = *state;
    struct event event;
    size_t length;
    char *bytes;

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        write_file(rig->file, texts[i], i == 1 ? 9 : strlen(texts[i]));
        assert_int_equal(begin(rig, &event), 0);
        assert_int_equal(rig->n_said, i + 1);
        assert_memory_equal(said(rig, i), "state-spoiled: ", 15);
        assert_non_null(strstr(said(rig, i), rig->file));
        assert_int_equal(access(rig->file, F_OK), -1); /* it has another name now */
        assert_int_equal(file_load(rig->directory, STATE_FILE_ASIDE, &bytes, &length), 0);
        assert_int_equal(length, i == 1 ? 9 : strlen(texts[i])); /* the last one */
        assert_memory_equal(bytes, texts[i], length);
        free(bytes);
    }
    keeper_start(rig->keeper, rig->lab.engine);
    assert_true(file_has(rig, "\"clean\":false"));
}

/* What is no file of ours is kept, too. */
static void not_a_file(void **state)
{
    struct rig *rig = *state;
    struct event event;
    struct stat there;
    char aside[128];

    snprintf(aside, sizeof(aside), "%s/%s", rig->directory, STATE_FILE_ASIDE);
    assert_int_equal(symlink("/etc/passwd", rig->file), 0);
    assert_int_equal(begin(rig, &event), 0);
    assert_non_null(strstr(said(rig, 0), "not a regular file"));
    assert_int_equal(lstat(aside, &there), 0);
    assert_true(S_ISLNK(there.st_mode));
    assert_int_equal(mkdir(rig->file, 0700), 0);
    assert_int_equal(begin(rig, &event), -ENOTDIR); /* a directory replaces no file */
    assert_non_null(strstr(rig->error, aside));
    assert_int_equal(rig->n_said, 1);
    assert_int_equal(access(rig->file, F_OK), 0);
}

/* It is there and cannot be read: that is no reason to replace it. */
static void cannot_be_read(void **state)
{
    struct rig *rig = *state;
    struct rlimit before, none;
    struct event event;
    int next, r;

    assert_int_equal(begin(rig, &event), 0);
    lab_hold(&rig->lab, "b", 0);
    keeper_start(rig->keeper, rig->lab.engine);
    keeper_stop(rig->keeper);
    assert_int_equal(keeper_wait(rig->keeper, UINT64_MAX), 0);
    keeper_free(rig->keeper);
    rig->keeper = NULL;
    next = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    for (int room = 4; room < 12; room++) { /* four are the keeper's own */
        none.rlim_cur = (rlim_t)(next + room);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        r = begin(rig, &event);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        if (r == 1)
            break;
        assert_int_equal(r, -EMFILE);
        assert_non_null(strstr(rig->error, "holds"));
    }
    assert_int_equal(r, 1);
    assert_true(event.restore.names[0].held);
    assert_int_equal(rig->n_said, 0);
}

/* Nothing is written without it, and it is tried again with each save. */
static void not_without_the_lock(void **state)
{
    struct rig *rig = *state;
    struct lock other = {-1};
    struct event event;
    char *error = NULL;

    assert_int_equal(begin(rig, &event), 0);
    assert_int_equal(lock_take(&other, rig->directory, &error), 0);
    keeper_start(rig->keeper, rig->lab.engine);
    assert_int_equal(access(rig->file, F_OK), -1);
    assert_memory_equal(said(rig, 0), "state-not-saved: ", 17);
    assert_non_null(strstr(said(rig, 0), "another pathdog uses it"));
    lock_drop(&other);
    assert_true(turn_until(rig, "\"clean\":false", 2));
    assert_memory_equal(said(rig, 1), "state-saved-again: ", 19);
    assert_int_equal(lock_take(&other, rig->directory, &error), -EBUSY);
    free(error);
}

/* Said once; the loop goes on; said when it works again. */
static void cannot_be_saved(void **state)
{
    struct rig *rig = *state;
    char directory[128];
    struct event event;

    snprintf(directory, sizeof(directory), "%s/not/made", rig->directory);
    assert_int_equal(begin_at(rig, directory, "k", &event), 0);
    keeper_start(rig->keeper, rig->lab.engine);
    assert_int_equal(rig->n_said, 1);
    assert_memory_equal(said(rig, 0), "state-not-saved: ", 17);
    assert_non_null(strstr(said(rig, 0), directory));
    for (unsigned i = 0; i < 100; i++) { /* it is tried again meanwhile */
        touch(rig);
        assert_true(sd_event_run(rig->loop, 2000) >= 0);
    }
    assert_int_equal(rig->n_said, 1);
    keeper_stop(rig->keeper);
    assert_int_equal(keeper_wait(rig->keeper, UINT64_MAX), -ENOENT);
}

static void works_again(void **state)
{
    struct rig *rig = *state;
    char directory[128], command[256];
    struct event event;

    snprintf(directory, sizeof(directory), "%s/dir", rig->directory);
    snprintf(command, sizeof(command), "mkdir -p %s/.%s.new/x", directory, STATE_FILE);
    assert_int_equal(system(command), 0); /* nobody can open that for writing, root neither */
    assert_int_equal(begin_at(rig, directory, "k", &event), 0);
    keeper_start(rig->keeper, rig->lab.engine);
    assert_int_equal(rig->n_said, 1);
    snprintf(command, sizeof(command), "rm -r %s/.%s.new", directory, STATE_FILE);
    assert_int_equal(system(command), 0);
    assert_true(turn_until(rig, NULL, 2)); /* it tries by itself */
    assert_memory_equal(said(rig, 1), "state-saved-again: ", 19);
}

/* What is the same is not written again. */
static void unchanged(void **state)
{
    struct rig *rig = *state;
    struct event event;
    char *bytes;

    (void)begin(rig, &event);
    keeper_start(rig->keeper, rig->lab.engine);
    bytes = read_file(rig);
    assert_int_equal(unlink(rig->file), 0);
    touch(rig);
    for (unsigned i = 0; i < 200; i++) /* two seconds: it had its time */
        (void)sd_event_run(rig->loop, 10000);
    assert_int_equal(access(rig->file, F_OK), -1);
    lab_peer_up(&rig->lab, "a", 5);
    touch(rig);
    assert_true(turn_until(rig, "\"conn\":5", 0));
    free(bytes);
}

/* Rows alone teach nothing: an idle pathdog does not wake up for the file. */
static void rows_are_nothing(void **state)
{
    static const enum event_type types[] = {EVENT_SAMPLES, EVENT_SUMMARY_DONE, EVENT_TIMER,
                                            EVENT_NODE_DOWN};
    const struct outbox nothing = {0};
    struct rig *rig = *state;
    struct event event;

    (void)begin(rig, &event);
    keeper_start(rig->keeper, rig->lab.engine);
    lab_peer_up(&rig->lab, "a", 5); /* what would be in the file, were it written */
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        keeper_event(rig->keeper, &(struct event){.type = types[i]}, &nothing);
    for (unsigned i = 0; i < 150; i++) /* a second and a half: it had its time */
        (void)sd_event_run(rig->loop, 10000);
    assert_false(file_has(rig, "\"conn\":5"));
    keeper_event(rig->keeper, &(struct event){.type = EVENT_PEER_DOWN}, &nothing);
    assert_true(turn_until(rig, "\"conn\":5", 0));
}

#define RIG_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_is_noticed),
        cmocka_unit_test(bad_texts),
        RIG_TEST(there_and_back),
        RIG_TEST(unclean),
        RIG_TEST(another_boot),
        RIG_TEST(malformed),
        RIG_TEST(not_a_file),
        RIG_TEST(cannot_be_read),
        RIG_TEST(not_without_the_lock),
        RIG_TEST(cannot_be_saved),
        RIG_TEST(works_again),
        RIG_TEST(unchanged),
        RIG_TEST(rows_are_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
