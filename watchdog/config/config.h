/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration as one const object: from /etc/pathdog/pathdog.conf and its
 * drop-ins, or from the text in a recording. Whole and checked, or an error
 * with file and line. It loads no plugin: what a trigger's options are, it asks.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "../engine/config.h"
#include "alert.h"

/* Where a value came from. */
struct config_origin {
    const char *file; /* NULL: the default */
    unsigned line;    /* 0: not a line of a file (`file` is then an argument's name) */
};

/* One section [trigger:NAME] or [trigger:NAME:LABEL], also if switched off. */
struct config_instance {
    const char *name; /* "srtt:overseas" */
    const struct pd_trigger *trigger;
    bool enabled;
    struct globs *match;    /* NULL where not given */
    const char *match_text; /* likewise */
    struct pd_value *values;
    size_t n_options;
    struct config_origin section, enabled_origin, match_origin, *origins;
};

/* One section [uplink:NAME]. */
struct config_uplink {
    const char *name, *interface;
    enum uplink_class class;
    struct config_origin section, interface_origin, class_origin;
};

/* The section [alert]. */
struct config_alert {
    bool given;
    struct pd_value values[ALERT_KEY_COUNT];
    uint64_t events;     /* bit per enum alert_event */
    struct globs *match; /* NULL where not given */
    struct config_origin section, origins[ALERT_KEY_COUNT];
};

struct config {
    struct engine_config engine; /* its instances are the enabled ones, in file order */
    const char *node;            /* path, or @name */
    const char *node_user;       /* name or number of who must own the node; NULL: anybody */
    const char *control;
    const char *metrics; /* "": none */
    const char *state_directory;
    const char *plugin_directory;

    struct config_instance *instances; /* all, in file order */
    size_t n_instances;
    struct config_uplink *uplinks; /* in file order */
    size_t n_uplinks;
    struct config_alert alert;
    struct config_origin *origins; /* one per setting, in the order of the table */
    void **owned;
    size_t n_owned, owned_capacity;
};

/* Finds a trigger by its name. Returns NULL, a sentence, and errno if there is none. What is
 * returned must outlive the config. */
typedef const struct pd_trigger *(*config_lookup_fn)(void *user, const char *plugin_directory,
                                                     const char *name, char **ret_error);

/* The directory of sockets, as the defaults have it. */
#define CONFIG_RUNTIME "/run/pathdog"

struct config_lookup {
    config_lookup_fn find;
    void *user;
    const char *runtime; /* stands in defaults where CONFIG_RUNTIME does; NULL: that itself */
    bool guarded;        /* take no file that others than root and the own user could change */
};

/* Reads `path` and `path`.d/ *.conf. Returns 0, or -errno and an error text
 * ("FILE:LINE: [section] key: …") that the caller frees. */
int config_load(const char *path, const struct config_lookup *lookup, struct config **ret_config,
                char **ret_error);

/* The same from one text; `name` stands for the file's name in errors. */
int config_parse_text(const char *name, const char *text, size_t n_bytes,
                      const struct config_lookup *lookup, struct config **ret_config,
                      char **ret_error);

/* Only what pathdog-alert needs of it: [watchdog] and [alert]. No trigger is looked for, and the
 * sections of others are not looked at. */
int config_load_alert(const char *path, const struct config_lookup *lookup,
                      struct config **ret_config, char **ret_error);

/* Is the program of [alert] there, may it be run, and could nobody else have put it there? Returns
 * 0, or -errno and an error text as above. pathdog itself runs without it. */
int config_check_alert(const struct config *config, char **ret_error);

/* The same of any program: 0, or -errno and a sentence without a place. */
int program_check(const char *path, char **ret_error);

/* Are the users and groups that it names there? Returns 0, or -EINVAL and an error text as
 * above; another -errno where that cannot be found out. Not for a config out of a recording: that
 * may be of another machine. */
int config_check_accounts(const struct config *config, char **ret_error);

/* Where triggers are, as far as the files can be read; else the default. For
 * --list-triggers, which is there to help when the config is not good yet. Returns 0 and what
 * the caller frees; or -errno and a sentence where the machine is the reason. */
int config_plugin_directory(const char *path, char **ret_directory, char **ret_error);

/* "FILE:LINE: [watchdog] key", for an error that shows only later. The caller
 * frees it. */
char *config_place(const struct config *config, const char *key);

/* What is allowed and makes no sense: lines that end in '\n'; "" where there is nothing of that
 * kind. The caller frees it. */
char *config_warnings(const struct config *config);

/* What --observe does. */
void config_set_observe(struct config *config);

/* NULL is fine. Returns NULL. */
struct config *config_free(struct config *config);

enum config_style {
    CONFIG_PLAIN,   /* INI that reads back as the same: for recordings */
    CONFIG_ORIGINS, /* the same, each line with `# FILE:LINE` or `# default` */
};

/* The effective configuration as text; the caller frees it. */
char *config_text(const struct config *config, enum config_style style);

/* The section [alert] of it alone, with the origins. */
char *config_alert_text(const struct config *config);

#endif
