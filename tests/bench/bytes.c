/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes to be sent, and the little that every bench needs. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

void die(const char *format, ...)
{
    va_list arguments;

    fputs("bench: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

void progress(const char *format, ...)
{
    va_list arguments;

    if (!options->verbose)
        return;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static char *bytes_space(struct bytes *text, size_t length)
{
    if (text->length + length > text->capacity) {
        text->capacity = 2 * (text->length + length);
        text->bytes = realloc(text->bytes, text->capacity);
        if (!text->bytes)
            die("no memory");
    }
    return text->bytes + text->length;
}

void bytes_add(struct bytes *text, const char *bytes, size_t length)
{
    memcpy(bytes_space(text, length), bytes, length);
    text->length += length;
}

void bytes_string(struct bytes *text, const char *string)
{
    bytes_add(text, string, strlen(string));
}

void bytes_number(struct bytes *text, uint64_t number)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    bytes_add(text, digits + at, sizeof(digits) - at);
}

void bytes_format(struct bytes *text, const char *format, ...)
{
    char line[2048];
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof(line))
        die("a text of %d bytes is too long", length);
    bytes_add(text, line, (size_t)length);
}

void write_all(int fd, const char *bytes, size_t length)
{
    while (length) {
        ssize_t n = write(fd, bytes, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            die("write: %s", strerror(errno));
        bytes += n;
        length -= (size_t)n;
    }
}

void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        die("%s: %s", path, strerror(errno));
    write_all(fd, text, strlen(text));
    close(fd);
}

void *shared_new(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        die("no memory");
    return memory;
}
