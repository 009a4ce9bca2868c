/* SPDX-License-Identifier: Apache-2.0 */
/* The state file's content ↔ values. */
#include "text.h"

#include <errno.h>

void state_encode_head(struct buffer *out, const struct state *state)
{
    buffer_text(out, "{");
    put_text(out, "pathdog", "state");
    put_u64(out, "version", STATE_VERSION);
    put_bool(out, "clean", state->clean);
    encode_text(out, "kernel_boot", state->kernel_boot);
    put_name(out, "learnt");
    learnt_encode_head(out, &state->learnt);
}

void state_encode_end(struct buffer *out)
{
    learnt_encode_end(out);
    buffer_text(out, "}\n");
}

static int get_state(const struct decoding *d, const json_t *root, struct state *ret)
{
    const json_t *magic = json_object_get(root, "pathdog");
    const json_t *version = json_object_get(root, "version");
    const json_t *clean = json_object_get(root, "clean");

    if (!json_is_string(magic) || strcmp(json_string_value(magic), "state") != 0)
        return decoding_wrong(d, "not a state file of pathdog");
    if (!json_is_integer(version) || json_integer_value(version) != STATE_VERSION)
        return decoding_wrong(d, "the state of another version; this pathdog reads version %d",
                              STATE_VERSION);
    if (!json_is_boolean(clean))
        return decoding_wrong(d, "\"clean\" is not true or false");
    ret->clean = json_is_true(clean);
    if (decode_text(d, json_object_get(root, "kernel_boot"), "kernel_boot", &ret->kernel_boot))
        return -EBADMSG;
    return learnt_decode(d, json_object_get(root, "learnt"), &ret->learnt);
}

int state_decode(const char *text, size_t length, struct arena *arena, struct state *ret,
                 char *error, size_t size)
{
    const struct decoding d = {.arena = arena, .error = error, .size = size};
    json_error_t wrong;
    json_t *root;
    int r;

    *ret = (struct state){0};
    if (!length)
        return decoding_wrong(&d, "it is empty");
    root = json_loadb(text, length, JSON_ALLOW_NUL, &wrong);
    if (!root)
        return decoding_wrong(&d, "line %d: %s", wrong.line, wrong.text);
    r = json_is_object(root) ? get_state(&d, root, ret) : decoding_wrong(&d, "not an object");
    json_decref(root);
    return r;
}
