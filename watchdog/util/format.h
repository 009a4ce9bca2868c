/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings made with printf(3) formats: error texts that a caller owns. Not for
 * the hot path; pure.
 */
#ifndef UTIL_FORMAT_H
#define UTIL_FORMAT_H

#include <stdarg.h>
#include <stdio.h>

#include "util.h"

__attribute__((format(printf, 1, 0))) static inline char *string_vformat(const char *format,
                                                                         va_list arguments)
{
    char *ret = NULL;

    if (vasprintf(&ret, format, arguments) < 0)
        memory_out();
    return ret;
}

/* The caller frees the result. Never NULL. */
__attribute__((format(printf, 1, 2))) static inline char *string_format(const char *format, ...)
{
    va_list arguments;
    char *ret;

    va_start(arguments, format);
    ret = string_vformat(format, arguments);
    va_end(arguments);
    return ret;
}

/* Fills `*ret_error`, which must be unset, and returns `error`: so that a
 * function can end with `return error_set(ret_error, -EINVAL, "…")`. */
__attribute__((format(printf, 3, 4))) static inline int error_set(char **ret_error, int error,
                                                                  const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    *ret_error = string_vformat(format, arguments);
    va_end(arguments);
    return error;
}

#endif
