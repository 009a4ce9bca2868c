/* SPDX-License-Identifier: Apache-2.0 */
/* state/file.[ch] and lock.[ch]: one file that is replaced at once, one that is locked. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "state/file.h"
#include "state/lock.h"
#include "util/util.h"

struct rig {
    char directory[64], file[96];
    struct lock lock;
};

static int setup(void **state)
{
    struct rig *rig = memory_new(1, sizeof(*rig));

    rig->lock.fd = -1;
    snprintf(rig->directory, sizeof(rig->directory), "/tmp/test-state-XXXXXX");
    assert_non_null(mkdtemp(rig->directory));
    snprintf(rig->file, sizeof(rig->file), "%s/%s", rig->directory, STATE_FILE);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    char command[256];

    lock_drop(&rig->lock);
    snprintf(command, sizeof(command), "rm -rf %s", rig->directory);
    assert_int_equal(system(command), 0);
    free(rig);
    return 0;
}

static void write_file(const char *path, const char *bytes, size_t length)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static bool file_has(struct rig *rig, const char *text)
{
    char *bytes = NULL;
    size_t length;
    bool has = file_load(rig->directory, STATE_FILE, &bytes, &length) == 0 && strstr(bytes, text);

    free(bytes);
    return has;
}

/* ---- the file ---- */

static void replaced_at_once(void **state)
{
    struct rig *rig = *state;
    char leftover[128];
    const char *step;
    struct stat status;

    snprintf(leftover, sizeof(leftover), "%s/.%s.new", rig->directory, STATE_FILE);
    write_file(leftover, "half", 4); /* of a run that was killed */
    umask(0);
    assert_int_equal(file_save(rig->directory, STATE_FILE, "one", 3, &step), 0);
    assert_int_equal(file_save(rig->directory, STATE_FILE, "three", 5, &step), 0);
    assert_true(file_has(rig, "three"));
    assert_int_equal(access(leftover, F_OK), -1);
    assert_int_equal(stat(rig->file, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
}

/* Killed at any moment: old or new, and whole. */
static void killed_in_the_middle(void **state)
{
    struct rig *rig = *state;
    const size_t length = 4 << 20;
    char *bytes = memory_new(length + 1, 1), *back = NULL;
    const char *step;
    size_t got;

    memset(bytes, 'a', length);
    assert_int_equal(file_save(rig->directory, STATE_FILE, bytes, length, &step), 0);
    for (unsigned i = 0; i < 30; i++) {
        char begun[2] = "";
        int pipe_fds[2], status;
        pid_t child;

        assert_int_equal(pipe(pipe_fds), 0);
        child = fork();
        if (child == 0) {
            for (char c = 'b';; c = c == 'z' ? 'b' : (char)(c + 1)) {
                memset(bytes, c, length);
                (void)!write(pipe_fds[1], "x", 1);
                (void)file_save(rig->directory, STATE_FILE, bytes, length, &step);
            }
        }
        assert_int_equal(read(pipe_fds[0], begun, 1), 1);
        usleep(i * 331); /* another moment each time; none of them is waited for */
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        close(pipe_fds[0]);
        close(pipe_fds[1]);
        assert_int_equal(file_load(rig->directory, STATE_FILE, &back, &got), 0);
        assert_int_equal(got, length);
        assert_int_equal(strspn(back, (char[]){back[0], '\0'}), length);
        free(back);
    }
    free(bytes);
}

/* A disk that is full: the old one stays, and nothing lies around. */
static void full_disk(void **state)
{
    struct rig *rig = *state;
    char *bytes = memory_new(1 << 20, 1);
    const char *step;
    int status;

    assert_int_equal(file_save(rig->directory, STATE_FILE, "old", 3, &step), 0);
    if (fork() == 0) {
        const struct rlimit limit = {65536, 65536};

        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        _exit(file_save(rig->directory, STATE_FILE, bytes, 1 << 20, &step) == -EFBIG &&
                      strcmp(step, "write") == 0
                  ? 0
                  : 1);
    }
    wait(&status);
    assert_int_equal(status, 0);
    assert_true(file_has(rig, "old"));
    assert_int_equal(unlink(rig->file), 0);
    assert_int_equal(rmdir(rig->directory), 0); /* empty */
    assert_int_equal(mkdir(rig->directory, 0700), 0);
    free(bytes);
}

static void no_files(void **state)
{
    struct rig *rig = *state;
    char *bytes = NULL, deep[128];
    const char *step;
    size_t length;

    assert_int_equal(file_load(rig->directory, "no", &bytes, &length), -ENOENT);
    assert_int_equal(mkfifo(rig->file, 0600), 0);
    assert_int_equal(file_load(rig->directory, STATE_FILE, &bytes, &length), -EBADMSG);
    assert_int_equal(unlink(rig->file), 0);
    assert_int_equal(symlink("/etc/passwd", rig->file), 0);
    assert_int_equal(file_load(rig->directory, STATE_FILE, &bytes, &length), -EBADMSG);
    assert_int_equal(file_save(rig->directory, STATE_FILE, "x", 1, &step), 0); /* is replaced */
    assert_int_equal(file_load(rig->directory, STATE_FILE, &bytes, &length), 0);
    free(bytes);
    snprintf(deep, sizeof(deep), "%s/made", rig->directory);
    assert_int_equal(file_save(deep, STATE_FILE, "x", 1, &step), 0);
    snprintf(deep, sizeof(deep), "%s/not/made", rig->directory);
    assert_int_equal(file_save(deep, STATE_FILE, "x", 1, &step), -ENOENT);
    assert_string_equal(step, "make the directory");
    snprintf(deep, sizeof(deep), "%s", rig->file);
    assert_int_equal(file_save(deep, STATE_FILE, "x", 1, &step), -ENOTDIR);
}

/* ---- the lock ---- */

static void the_lock_is_ours_alone(void **state)
{
    struct rig *rig = *state;
    struct lock other = {-1};
    char *error = NULL, path[128], text[64];
    struct stat there;
    int at = open(rig->directory, O_RDONLY | O_CLOEXEC);

    snprintf(path, sizeof(path), "%s/%s", rig->directory, LOCK_FILE);
    assert_int_equal(flock(at, LOCK_EX | LOCK_NB), 0); /* as anybody may */
    umask(0);
    write_file(path, "", 0); /* 0666 */
    assert_int_equal(lock_take(&rig->lock, rig->directory, &error), 0);
    assert_int_equal(stat(path, &there), 0);
    assert_int_equal(there.st_mode & 07777, 0600);
    assert_int_equal(lock_take(&other, rig->directory, &error), -EBUSY);
    snprintf(text, sizeof(text), "another pathdog (pid %d)", (int)getpid());
    assert_non_null(strstr(error, text));
    free(error);
    error = NULL;
    assert_int_equal(lock_take(&rig->lock, rig->directory, &error), 0); /* is its own */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(lock_take(&rig->lock, rig->directory, &error), 0); /* again, and there */
    assert_int_equal(lock_take(&other, rig->directory, &error), -EBUSY);
    free(error);
    error = NULL;
    lock_drop(&rig->lock);
    assert_int_equal(lock_take(&other, rig->directory, &error), 0);
    lock_drop(&other);
    close(at);
}

static void not_a_lock(void **state)
{
    static const struct {
        const char *make, *words;
        int error;
    } cases[] = {
        {"ln -s /etc/passwd", "is a symbolic link", -ELOOP},
        {"mkdir", "Is a directory", -EISDIR},
        {"mkfifo", "is not a regular file", -EINVAL},
    };
    struct rig *rig = *state;
    char command[256], *error = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        snprintf(command, sizeof(command), "%s %s/%s", cases[i].make, rig->directory, LOCK_FILE);
        assert_int_equal(system(command), 0);
        assert_int_equal(lock_take(&rig->lock, rig->directory, &error), cases[i].error);
        assert_non_null(strstr(error, cases[i].words));
        assert_false(lock_is_needless(cases[i].error));
        free(error);
        error = NULL;
        snprintf(command, sizeof(command), "rm -r %s/%s", rig->directory, LOCK_FILE);
        assert_int_equal(system(command), 0);
    }
}

/* Made by a run as another user, whether that one may be opened or not. */
static void of_another_user(void **state)
{
    struct rig *rig = *state;
    char *error = NULL;
    int r;

    if (geteuid() != 0)
        skip();
    assert_int_equal(lock_take(&rig->lock, rig->directory, &error), 0);
    lock_drop(&rig->lock);
    assert_int_equal(chown(rig->directory, 65534, (gid_t)-1), 0);
    assert_int_equal(seteuid(65534), 0);
    r = lock_take(&rig->lock, rig->directory, &error);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(r, -EPERM);
    assert_non_null(strstr(error, "owned by uid 0, and this pathdog runs as uid 65534"));
    assert_false(lock_is_needless(r));
    free(error);
}

/* A directory that may be read only: nothing is written there, and nothing is to be locked. */
static void of_a_directory_of_another_user(void **state)
{
    struct rig *rig = *state;
    char *error = NULL;
    int r;

    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(rig->directory, 0755), 0);
    assert_int_equal(seteuid(65534), 0);
    r = lock_take(&rig->lock, rig->directory, &error);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(r, -EACCES);
    assert_true(lock_is_needless(r));
    assert_non_null(strstr(error, "Permission denied"));
    free(error);
    error = NULL;
    assert_int_equal(chmod(rig->directory, 0700), 0); /* nor entered: who knows what is there */
    assert_int_equal(seteuid(65534), 0);
    r = lock_take(&rig->lock, rig->directory, &error);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(r, -EPERM);
    assert_non_null(strstr(error, "Permission denied"));
    free(error);
}

#define RIG_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(replaced_at_once), RIG_TEST(killed_in_the_middle),           RIG_TEST(full_disk),
        RIG_TEST(no_files),         RIG_TEST(the_lock_is_ours_alone),         RIG_TEST(not_a_lock),
        RIG_TEST(of_another_user),  RIG_TEST(of_a_directory_of_another_user),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
