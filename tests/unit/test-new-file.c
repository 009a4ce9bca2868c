/* SPDX-License-Identifier: Apache-2.0 */
/* util/new-file.[ch]: the new file is its own, and nothing else is touched. */
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/format.h"
#include "util/new-file.h"

#define STRANGER 12345

struct lab {
    char directory[64];
    char *path;
};

static bool is_kind(const char *bytes, size_t n)
{
    return !memcmp(bytes, "kind", n < 4 ? n : 4);
}

static const struct new_file_rule rule = {0640, "of the kind", is_kind};

static int setup(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    umask(022);
    strcpy(lab->directory, "/tmp/test-new-XXXXXX");
    assert_non_null(mkdtemp(lab->directory));
    lab->path = string_format("%s/file", lab->directory);
    *state = lab;
    return 0;
}

static int teardown(void **state)
{
    struct lab *lab = *state;
    CLEANUP_FREE char *command = string_format("rm -rf '%s'", lab->directory);

    assert_int_equal(system(command), 0);
    free(lab->path);
    free(lab);
    return 0;
}

static size_t count_names(const struct lab *lab)
{
    DIR *directory = opendir(lab->directory);
    size_t n = 0;

    assert_non_null(directory);
    while (readdir(directory))
        n++;
    closedir(directory);
    return n - 2;
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void has_text(const char *path, const char *text)
{
    char bytes[64] = "";
    FILE *file = fopen(path, "re");

    assert_non_null(file);
    assert_non_null(fgets(bytes, sizeof(bytes), file));
    fclose(file);
    assert_string_equal(bytes, text);
}

static void make(struct new_file *file, const char *path, const char *text)
{
    CLEANUP_FREE char *error = NULL;
    int r = new_file_make(file, path, &rule, &error);

    if (r < 0)
        fail_msg("%s: %s", path, error);
    assert_int_equal(write(file->fd, text, strlen(text)), strlen(text));
}

static void place(struct new_file *file)
{
    CLEANUP_FREE char *error = NULL;
    int r = new_file_place(file, &error);

    if (r < 0)
        fail_msg("%s", error);
}

static void refused(const char *path, int expected, const char *words)
{
    CLEANUP_FREE char *error = NULL;
    struct new_file file;

    assert_int_equal(new_file_make(&file, path, &rule, &error), expected);
    new_file_close(&file);
    if (!strstr(error, words))
        fail_msg("%s", error);
}

static void refused_place(struct new_file *file, int expected, const char *words)
{
    CLEANUP_FREE char *error = NULL;

    assert_int_equal(new_file_place(file, &error), expected);
    new_file_close(file);
    if (!strstr(error, words))
        fail_msg("%s", error);
}

static void test_a_new_one(void **state)
{
    static const mode_t masks[] = {0, 022, 077};
    struct lab *lab = *state;

    for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
        struct new_file file;
        struct stat st;

        umask(masks[i]);
        make(&file, lab->path, "kind 1");
        assert_int_equal(access(lab->path, F_OK), -1);
        assert_int_equal(count_names(lab), 1);
        place(&file);
        new_file_close(&file);
        assert_int_equal(stat(lab->path, &st), 0);
        assert_int_equal(st.st_mode, S_IFREG | (0640 & ~masks[i]));
        assert_int_equal(st.st_uid, geteuid());
        assert_int_equal(count_names(lab), 1);
        has_text(lab->path, "kind 1");
        assert_int_equal(unlink(lab->path), 0);
        make(&file, lab->path, "kind 1");
        new_file_close(&file); /* it was not placed: as if nothing had been */
        assert_int_equal(count_names(lab), 0);
    }
}

/* Of what is replaced nothing stays: not its owner, not its mode, not its other name. */
static void test_one_in_place_of_another(void **state)
{
    struct lab *lab = *state;
    CLEANUP_FREE char *other = string_format("%s/other", lab->directory);
    struct new_file file;
    struct stat st;

    put(lab->path, "kind of old");
    assert_int_equal(chmod(lab->path, 0666), 0);
    assert_int_equal(link(lab->path, other), 0);
    if (geteuid() == 0)
        assert_int_equal(chown(lab->path, STRANGER, STRANGER), 0);
    make(&file, lab->path, "kind of new");
    has_text(lab->path, "kind of old");
    place(&file);
    new_file_close(&file);
    assert_int_equal(stat(lab->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(st.st_uid, geteuid());
    assert_int_equal(st.st_nlink, 1);
    has_text(lab->path, "kind of new");
    has_text(other, "kind of old");
    assert_int_equal(count_names(lab), 2);
    put(lab->path, "");
    make(&file, lab->path, "kind of new");
    place(&file);
    new_file_close(&file);
    has_text(lab->path, "kind of new");
}

static void test_what_is_refused(void **state)
{
    struct lab *lab = *state;
    CLEANUP_FREE char *none = string_format("%s/none/file", lab->directory);
    CLEANUP_FREE char *slash = string_format("%s/", lab->directory);
    CLEANUP_FREE char *other = string_format("%s/other", lab->directory);
    CLEANUP_FREE char *through = string_format("%s/other/file", lab->directory);

    refused("", -ENOENT, "No such file");
    refused(none, -ENOENT, "No such file");
    refused(slash, -EISDIR, "Is a directory");
    refused(lab->directory, -EISDIR, "Is a directory");
    refused("/dev/null", -EINVAL, "is not a regular file");
    put(lab->path, "[watchdog]");
    refused(lab->path, -EEXIST, "is there and is not of the kind");
    has_text(lab->path, "[watchdog]");
    assert_int_equal(unlink(lab->path), 0);
    assert_int_equal(mkfifo(lab->path, 0644), 0);
    refused(lab->path, -EINVAL, "is not a regular file");
    assert_int_equal(unlink(lab->path), 0);
    assert_int_equal(symlink("elsewhere", lab->path), 0);
    refused(lab->path, -ELOOP, "is a symbolic link");
    assert_int_equal(symlink(".", other), 0);
    refused(through, -ELOOP, "is a symbolic link");
    if (geteuid() != 0)
        return;
    assert_int_equal(lchown(other, STRANGER, STRANGER), 0);
    refused(through, -EPERM, "/other, a symbolic link, is owned by uid 12345");
}

static void test_a_standard_stream(void **state)
{
    struct lab *lab = *state;
    int before = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10), fd;

    assert_true(before >= 0);
    put(lab->path, "");
    fd = open(lab->path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    close(fd);
    refused(lab->path, -EEXIST, "is standard input, too");
    assert_int_equal(dup2(before, STDIN_FILENO), STDIN_FILENO);
    close(before);
}

/* Another process that has it open, with a lock of this type; 0: none. */
static pid_t start_holder(const char *path, short type)
{
    int pipes[2];
    char byte;
    pid_t child;

    assert_int_equal(pipe(pipes), 0);
    child = fork();
    if (child == 0) {
        struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
        int fd = open(path, (type == F_WRLCK ? O_WRONLY : O_RDONLY) | O_CLOEXEC);

        if (fd < 0 || fcntl(fd, F_SETLK, &lock) < 0 || write(pipes[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_true(child > 0);
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    close(pipes[0]);
    close(pipes[1]);
    return child;
}

static void end_holder(pid_t child)
{
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

/* Who writes it has it; who may only read it cannot keep it. */
static void test_another_process(void **state)
{
    struct lab *lab = *state;
    CLEANUP_FREE char *words = NULL;
    struct new_file file;
    pid_t child;

    put(lab->path, "kind");
    child = start_holder(lab->path, F_WRLCK);
    words = string_format("is being written by another process (pid %d)", (int)child);
    refused(lab->path, -EBUSY, words);
    end_holder(child);

    child = start_holder(lab->path, F_RDLCK);
    make(&file, lab->path, "kind 2");
    place(&file);
    new_file_close(&file);
    end_holder(child);

    make(&file, lab->path, "kind 3"); /* nobody has it yet */
    child = start_holder(lab->path, F_WRLCK);
    refused_place(&file, -EBUSY, "is being written by another process (pid ");
    end_holder(child);
    has_text(lab->path, "kind 2");
    assert_int_equal(count_names(lab), 1);
}

/* Two at the same time: the first has it, and the second says so. */
static void test_two_at_a_time(void **state)
{
    struct lab *lab = *state;
    struct new_file first, second;

    for (int old = 0; old < 2; old++) {
        make(&first, lab->path, "kind 1");
        make(&second, lab->path, "kind 2");
        place(&first);
        new_file_close(&first);
        refused_place(&second, -EBUSY, "was replaced by another process at the same time");
        has_text(lab->path, "kind 1");
        assert_int_equal(count_names(lab), 1);
    }
    make(&first, lab->path, "kind 3");
    assert_int_equal(unlink(lab->path), 0);
    refused_place(&first, -EBUSY, "at the same time");
    assert_int_equal(count_names(lab), 0);
}

static void test_is_name(void **state)
{
    struct lab *lab = *state;
    CLEANUP_FREE char *link = string_format("%s/link", lab->directory);
    CLEANUP_FREE char *through = string_format("%s/link/file", lab->directory);
    CLEANUP_FREE char *other = string_format("%s/other", lab->directory);

    assert_int_equal(symlink(lab->directory, link), 0);
    assert_true(new_file_is_name(lab->path, through));
    assert_false(new_file_is_name(lab->path, other));
    assert_false(new_file_is_name(lab->path, "file"));
    assert_true(new_file_is_name("/file", "/../file"));
    assert_int_equal(chdir(lab->directory), 0);
    assert_true(new_file_is_name("file", through));
    assert_int_equal(chdir("/"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_new_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_in_place_of_another, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_standard_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_process, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_is_name, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
