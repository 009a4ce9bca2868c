/* SPDX-License-Identifier: Apache-2.0 */
/* util/safe-path.[ch]: who could put something else at the end of a path. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "util/format.h"
#include "util/safe-path.h"

#define STRANGER 12345

/* a/b is a directory, a/b/file a file; all of it is ours. */
struct lab {
    char directory[64];
    char *a, *b, *file;
};

static int setup(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));
    int fd;

    umask(022);
    strcpy(lab->directory, "/tmp/test-safe-XXXXXX");
    assert_non_null(mkdtemp(lab->directory));
    lab->a = string_format("%s/a", lab->directory);
    lab->b = string_format("%s/b", lab->a);
    lab->file = string_format("%s/file", lab->b);
    assert_int_equal(mkdir(lab->a, 0755), 0);
    assert_int_equal(mkdir(lab->b, 0755), 0);
    fd = open(lab->file, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    close(fd);
    *state = lab;
    return 0;
}

static int teardown(void **state)
{
    struct lab *lab = *state;
    CLEANUP_FREE char *command = string_format("rm -rf '%s'", lab->directory);

    assert_int_equal(system(command), 0);
    free(lab->a);
    free(lab->b);
    free(lab->file);
    free(lab);
    return 0;
}

/* It is opened, and what is opened is this. */
static void opened(const char *path, int flags, const char *is)
{
    CLEANUP_FREE char *error = NULL;
    int fd = safe_open(path, flags, &error);
    struct stat there, expected;

    if (fd < 0)
        fail_msg("%s: %s", path, error);
    assert_null(error);
    assert_int_equal(fstat(fd, &there), 0);
    assert_int_equal(stat(is, &expected), 0);
    assert_int_equal(there.st_ino, expected.st_ino);
    assert_int_equal(there.st_dev, expected.st_dev);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
}

static void refused(const char *path, int flags, int error, const char *format, ...)
{
    CLEANUP_FREE char *expected = NULL, *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    expected = string_vformat(format, arguments);
    va_end(arguments);
    assert_int_equal(safe_open(path, flags, &text), error);
    assert_string_equal(text, expected);
}

static void test_ways_to_the_same(void **state)
{
    static const char *const ways[][2] = {
        {"", "/a/b/file"},     {"//", "//a/./b//file"}, {"", "/a/b/../b/file"},
        {"", "/link/b/file"},  {"", "/a/up/a/b/file"},  {"", "/to-file"},
        {"", "/a/whole/file"},
    };
    struct lab *lab = *state;
    CLEANUP_FREE char *link = string_format("%s/link", lab->directory);
    CLEANUP_FREE char *up = string_format("%s/a/up", lab->directory);
    CLEANUP_FREE char *to_file = string_format("%s/to-file", lab->directory);
    CLEANUP_FREE char *whole = string_format("%s/a/whole", lab->directory);

    assert_int_equal(symlink("a", link), 0);
    assert_int_equal(symlink("..", up), 0);
    assert_int_equal(symlink("link/b/file", to_file), 0);
    assert_int_equal(symlink(lab->b, whole), 0);
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        CLEANUP_FREE char *path = string_format("%s%s%s", ways[i][0], lab->directory, ways[i][1]);

        opened(path, O_RDONLY, lab->file);
    }
    opened("/", O_RDONLY | O_DIRECTORY, "/");
    opened("/..", O_PATH | O_DIRECTORY, "/");
    assert_int_equal(chdir(lab->a), 0);
    opened("b/file", O_RDONLY, lab->file);
    opened(".", O_RDONLY | O_DIRECTORY, lab->a);
    opened("./b/.", O_RDONLY | O_DIRECTORY, lab->b);
    opened("b/../", O_RDONLY | O_DIRECTORY, lab->a);
    assert_int_equal(chdir("/"), 0);
}

static void test_what_is_not_there(void **state)
{
    struct lab *lab = *state;
    CLEANUP_FREE char *none = string_format("%s/none/x", lab->directory);
    CLEANUP_FREE char *below = string_format("%s/x", lab->file);
    CLEANUP_FREE char *loop = string_format("%s/loop", lab->a);

    refused("", O_RDONLY, -ENOENT, ": No such file or directory");
    refused(none, O_RDONLY, -ENOENT, "%s: No such file or directory", none);
    refused(below, O_RDONLY, -ENOTDIR, "%s: Not a directory", below);
    refused(lab->file, O_RDONLY | O_DIRECTORY, -ENOTDIR, "%s: Not a directory", lab->file);
    assert_int_equal(symlink("loop", loop), 0);
    refused(loop, O_RDONLY, -ELOOP, "%s: Too many levels of symbolic links", loop);
    assert_int_equal(unlink(loop), 0);
    assert_int_equal(symlink("b", loop), 0);
    opened(loop, O_RDONLY, lab->b);
    refused(loop, O_RDONLY | O_NOFOLLOW, -ELOOP, "%s: Too many levels of symbolic links", loop);
}

static void test_modes(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(chmod(lab->a, 0775), 0);
    refused(lab->file, O_RDONLY, -EPERM,
            "%s: %s may be written by others than its owner (mode 0775)", lab->file, lab->a);
    refused(lab->a, O_RDONLY, -EPERM, "%s may be written by others than its owner (mode 0775)",
            lab->a);
    /* The sticky bit is enough on the way, and not at the end. */
    assert_int_equal(chmod(lab->a, 01777), 0);
    opened(lab->file, O_RDONLY, lab->file);
    refused(lab->a, O_RDONLY, -EPERM, "%s may be written by others than its owner (mode 1777)",
            lab->a);
    assert_int_equal(chmod(lab->a, 0755), 0);
    assert_int_equal(chmod(lab->file, 0620), 0);
    refused(lab->file, O_RDONLY, -EPERM, "%s may be written by others than its owner (mode 0620)",
            lab->file);
    assert_int_equal(chmod(lab->file, 01622), 0);
    refused(lab->file, O_RDONLY, -EPERM, "%s may be written by others than its owner (mode 1622)",
            lab->file);
}

/* Only root can make something that is somebody else's. */
static void test_owners(void **state)
{
    struct lab *lab = *state;
    CLEANUP_FREE char *link = string_format("%s/link", lab->directory);
    CLEANUP_FREE char *through = string_format("%s/b/file", link);

    if (geteuid() != 0)
        skip();
    assert_int_equal(symlink(lab->a, link), 0);
    opened(through, O_RDONLY, lab->file);
    assert_int_equal(lchown(link, STRANGER, STRANGER), 0);
    refused(through, O_RDONLY, -EPERM,
            "%s: %s, a symbolic link, is owned by uid 12345; it must be root", through, link);
    assert_int_equal(lchown(link, 0, 0), 0);
    assert_int_equal(chown(lab->a, STRANGER, 0), 0);
    refused(through, O_RDONLY, -EPERM, "%s: %s is owned by uid 12345; it must be root", through,
            lab->a);
    assert_int_equal(chown(lab->a, 0, 0), 0);
    assert_int_equal(chown(lab->file, STRANGER, 0), 0);
    refused(lab->file, O_RDONLY, -EPERM, "%s is owned by uid 12345; it must be root", lab->file);
    /* In a directory like /tmp: what is below is looked at all the same. */
    assert_int_equal(chmod(lab->directory, 01777), 0);
    assert_int_equal(chown(lab->a, STRANGER, 0), 0);
    refused(lab->b, O_RDONLY, -EPERM, "%s: %s is owned by uid 12345; it must be root", lab->b,
            lab->a);
}

/* To somebody else what is root's and what is their own is good. */
static void test_another_user(void **state)
{
    struct lab *lab = *state;

    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(lab->directory, 0755), 0); /* mkdtemp(3) gave it 0700 */
    assert_int_equal(chown(lab->b, STRANGER, 0), 0);
    assert_int_equal(seteuid(STRANGER), 0);
    opened(lab->file, O_RDONLY, lab->file);
    opened(lab->b, O_RDONLY, lab->b);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(chown(lab->b, STRANGER + 1, 0), 0);
    assert_int_equal(seteuid(STRANGER), 0);
    refused(lab->file, O_RDONLY, -EPERM, "%s: %s is owned by uid 12346; it must be root or 12345",
            lab->file, lab->b);
    assert_int_equal(seteuid(0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ways_to_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_modes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_owners, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_user, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
