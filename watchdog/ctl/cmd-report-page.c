/* SPDX-License-Identifier: Apache-2.0 */
/* Where a page goes: standard output, or a file that has its name when it is whole. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../util/format.h"
#include "../util/new-file.h"
#include "cmd-report.h"
#include "version.h"

enum ctl_status report_page_check(const struct ctl *ctl)
{
    const struct options *options = &ctl->options;
    bool recording = ctl->n_words > 0;

    if (options->output && !options->html)
        return usage("--output goes with --html");
    if (options->html && options->json)
        return usage("--html and --json do not go together");
    if (options->config && !recording)
        return usage("--config needs a RECORDING: what another configuration would have decided is "
                     "only to be found out from all events");
    if (recording &&
        (options->source != SOURCE_AUTO || options->unit || options->directory || options->file))
        return usage("a RECORDING is read in the place of the journal: --source, --unit, "
                     "--directory and --file do not go with it");
    if (recording && options->config && !strcmp(ctl->words[0], "-"))
        return usage("with --config the RECORDING is read twice, so it must be a file, not -");
    if (options->html && !options->output && isatty(STDOUT_FILENO))
        return usage("a page is nothing for a terminal: name a file with --output FILE");
    return CTL_GOOD;
}

static bool is_page(const char *bytes, size_t n)
{
    return n >= strlen(PAGE_MAGIC) && !memcmp(bytes, PAGE_MAGIC, strlen(PAGE_MAGIC));
}

/* 0, or -errno and a sentence without the path. */
static int write_all(int fd, const struct buffer *out, char **ret_error)
{
    const char *bytes = buffer_bytes(out);

    for (size_t at = 0; at < out->length;) {
        ssize_t n = write(fd, bytes + at, out->length - at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return error_set(ret_error, n ? -errno : -EIO, "cannot be written: %s",
                             strerrordesc_np(n ? errno : EIO));
        at += (size_t)n;
    }
    /* a full disk may say so only now */
    return fsync(fd) < 0 && errno != EINVAL
               ? error_set(ret_error, -errno, "cannot be written: %s", strerrordesc_np(errno))
               : 0;
}

static enum ctl_status write_file(const char *path, const struct buffer *out)
{
    static const struct new_file_rule rule = {0644, "a report of pathdog", is_page};
    CLEANUP_FREE char *error = NULL;
    struct new_file file;
    int r = new_file_make(&file, path, &rule, &error);

    if (r >= 0)
        r = write_all(file.fd, out, &error);
    if (r >= 0)
        r = new_file_place(&file, &error);
    new_file_close(&file);
    if (r >= 0)
        return CTL_GOOD;
    complain("--output %s: %s", path, error ? error : strerrordesc_np(-r));
    return CTL_FAILED;
}

enum ctl_status report_page_write(const struct ctl *ctl, struct page *page, const json_t *report)
{
    const char *path = ctl->options.output;
    struct buffer out = {0};
    enum ctl_status result = CTL_GOOD;

    page_html(page, report, PATHDOG_VERSION, &out);
    if (path && strcmp(path, "-") != 0)
        result = write_file(path, &out);
    else
        fwrite(buffer_bytes(&out), 1, out.length, stdout); /* main says where that fails */
    buffer_clear(&out);
    return result;
}
