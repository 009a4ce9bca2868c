/* SPDX-License-Identifier: Apache-2.0 */
/*
 * score: runs traces, and prints a line of JSON for each. tests/score/run makes a table of them.
 */
#include "class.h"
#include "policy.h"
#include "traces.h"

#include "util/util.h"

#include <getopt.h>
#include <inttypes.h>

#define NAMES_MAX 32u

/* pathdog with another configuration, or beside another node, is a row of its own. */
struct variant {
    const char *name;
    char *config; /* NULL: the defaults */
    enum node_kind node;
};

struct arguments {
    enum half half;
    uint64_t first, count; /* seeds */
    uint64_t part, parts;  /* every `parts`th trace */
    const char *traces;
    const char *classes[NAMES_MAX], *policies[NAMES_MAX];
    size_t n_classes, n_policies;
    struct variant variants[NAMES_MAX];
    size_t n_variants;
    bool trace, list;
};

static void usage(void)
{
    puts("score [--half tune|score] [--first N] [--seeds N] [--class NAME]... [--policy NAME]...\n"
         "      [--variant NAME=FILE]... [--node old|no-push]... [--traces DIRECTORY]\n"
         "      [--part I/N] [--trace] [--list]\n"
         "Runs each class with seeds N... under each policy, and prints a line of JSON for each.\n"
         "  --variant NAME=FILE  pathdog with this configuration, as a policy NAME\n"
         "  --node no-push       pathdog, and a node without push, as a policy node-no-push\n"
         "  --node old           the same without the columns from unacked_ms on, as node-old\n"
         "  --part I/N           every Nth trace, from the Ith on\n"
         "  --trace              print what happens in each trace\n"
         "  --list               print the classes and policies");
}

static char *file_read(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t size = 0;

    if (!file || getdelim(&text, &size, '\0', file) < 0) {
        fprintf(stderr, "score: %s: cannot be read, or is empty\n", path);
        exit(2);
    }
    fclose(file);
    return text;
}

static void add_variant(struct arguments *arguments, char *text)
{
    char *equals = strchr(text, '=');

    if (!equals || arguments->n_variants == NAMES_MAX) {
        fprintf(stderr, "score: --variant %s: allowed is NAME=FILE, %u times\n", text, NAMES_MAX);
        exit(2);
    }
    *equals = '\0';
    arguments->variants[arguments->n_variants++] =
        (struct variant){.name = text, .config = file_read(equals + 1)};
}

static bool add_node(struct arguments *arguments, const char *kind)
{
    struct variant *variant = &arguments->variants[arguments->n_variants];

    if (arguments->n_variants == NAMES_MAX)
        return false;
    if (!strcmp(kind, "old"))
        *variant = (struct variant){.name = "node-old", .node = NODE_OLD};
    else if (!strcmp(kind, "no-push"))
        *variant = (struct variant){.name = "node-no-push", .node = NODE_NO_PUSH};
    else
        return false;
    arguments->n_variants++;
    return true;
}

static void add_name(const char **names, size_t *n_names, const char *name)
{
    if (*n_names < NAMES_MAX)
        names[(*n_names)++] = name;
}

static bool wanted(const char *const *names, size_t n_names, const char *name)
{
    for (size_t i = 0; i < n_names; i++)
        if (!strcmp(names[i], name))
            return true;
    return !n_names;
}

static bool parse(int argc, char **argv, struct arguments *ret)
{
    static const struct option options[] = {
        {"half", required_argument, NULL, 'h'},   {"first", required_argument, NULL, 'f'},
        {"seeds", required_argument, NULL, 's'},  {"class", required_argument, NULL, 'c'},
        {"policy", required_argument, NULL, 'p'}, {"variant", required_argument, NULL, 'v'},
        {"node", required_argument, NULL, 'o'},   {"traces", required_argument, NULL, 'd'},
        {"part", required_argument, NULL, 'n'},   {"trace", no_argument, NULL, 't'},
        {"list", no_argument, NULL, 'l'},         {0},
    };
    int option;

    *ret = (struct arguments){.first = 1, .count = 4, .parts = 1};
    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        if (option == 'h' && (!strcmp(optarg, "tune") || !strcmp(optarg, "score")))
            ret->half = !strcmp(optarg, "score") ? HALF_SCORE : HALF_TUNE;
        else if (option == 'f')
            ret->first = strtoull(optarg, NULL, 10);
        else if (option == 's')
            ret->count = strtoull(optarg, NULL, 10);
        else if (option == 'c')
            add_name(ret->classes, &ret->n_classes, optarg);
        else if (option == 'p')
            add_name(ret->policies, &ret->n_policies, optarg);
        else if (option == 'v')
            add_variant(ret, optarg);
        else if (option == 'o' && add_node(ret, optarg))
            continue;
        else if (option == 'd')
            ret->traces = optarg;
        else if (option == 'n' &&
                 sscanf(optarg, "%" SCNu64 "/%" SCNu64, &ret->part, &ret->parts) == 2 &&
                 ret->part < ret->parts)
            continue;
        else if (option == 't')
            ret->trace = true;
        else if (option == 'l')
            ret->list = true;
        else
            return false;
    }
    return optind == argc;
}

static void print_score(const struct class *class, const char *policy, uint64_t seed,
                        const struct score *score)
{
    printf("{\"class\":\"%s\",\"real\":%s,\"policy\":\"%s\",\"seed\":%" PRIu64
           ",\"cost\":%.4f,\"outage_s\":%.4f,\"slow_s\":%.4f,\"away_s\":%.4f,\"moves\":%" PRIu64
           ",\"needless\":%" PRIu64 ",\"closes\":%" PRIu64 ",\"timeouts\":%" PRIu64
           ",\"lost\":%" PRIu64,
           class->name, class->real ? "true" : "false", policy, seed, score_cost(score),
           score->outage_s, score->slow_s, score->away_s, score->moves, score->needless,
           score->closes, score->timeouts, score->lost);
    if (score->first_us != NEVER)
        printf(",\"first_s\":%.3f", (double)score->first_us / 1e6);
    puts("}");
}

/* False: the class has no such trace. */
static bool run_one(const struct arguments *arguments, const struct traces *traces,
                    const struct class *class, uint64_t seed, const struct policy *policy,
                    const struct variant *variant)
{
    struct world *world = memory_new(1, sizeof(*world));
    const char *name = variant ? variant->name : policy->name;
    bool made = class_make(class, arguments->half, seed, traces, world);

    if (made) {
        world->policy = policy;
        world->config = variant ? variant->config : NULL;
        world->node = variant ? variant->node : NODE_NEW;
        world->trace = arguments->trace;
        if (arguments->trace)
            printf("== %s seed %" PRIu64 " %s\n", class->name, seed, name);
        world_run(world);
        for (unsigned i = 0; i < PEERS; i++)
            world->score.lost +=
                world->peers[i].streams[OUT].lost + world->peers[i].streams[IN].lost;
        print_score(class, name, seed, &world->score);
    }
    world_done(world);
    free(world);
    return made;
}

static const struct policy *find_policy(const char *name)
{
    for (size_t i = 0; policies[i]; i++)
        if (!strcmp(policies[i]->name, name))
            return policies[i];
    return NULL;
}

static void run_seed(const struct arguments *arguments, const struct traces *traces,
                     const struct class *class, uint64_t seed)
{
    for (size_t i = 0; policies[i]; i++)
        if (wanted(arguments->policies, arguments->n_policies, policies[i]->name) &&
            !run_one(arguments, traces, class, seed, policies[i], NULL))
            return;
    for (size_t i = 0; i < arguments->n_variants; i++)
        if (!run_one(arguments, traces, class, seed, find_policy("pathdog"),
                     &arguments->variants[i]))
            return;
}

static void run_classes(const struct arguments *arguments, const struct traces *traces,
                        const struct class *table, uint64_t *place)
{
    for (size_t i = 0; table[i].name; i++) {
        if (!wanted(arguments->classes, arguments->n_classes, table[i].name))
            continue;
        for (uint64_t k = 0; k < arguments->count; k += max_u64(table[i].share, 1))
            if ((*place)++ % arguments->parts == arguments->part)
                run_seed(arguments, traces, &table[i], arguments->first + k);
    }
}

static void list(void)
{
    for (size_t i = 0; classes[i].name; i++)
        printf("class %-16s %s\n", classes[i].name, classes[i].truth);
    for (size_t i = 0; classes_real[i].name; i++)
        printf("class %-16s %s\n", classes_real[i].name, classes_real[i].truth);
    for (size_t i = 0; policies[i]; i++)
        printf("policy %-15s %s\n", policies[i]->name, policies[i]->summary);
}

/* A name that is none would silently measure nothing. */
static bool names_known(const struct arguments *arguments)
{
    bool good = true;

    for (size_t i = 0; i < arguments->n_policies; i++)
        if (!find_policy(arguments->policies[i])) {
            fprintf(stderr, "score: --policy %s: there is no such policy; see --list\n",
                    arguments->policies[i]);
            good = false;
        }
    for (size_t i = 0; i < arguments->n_classes; i++) {
        bool known = false;

        for (size_t k = 0; classes[k].name; k++)
            known |= !strcmp(classes[k].name, arguments->classes[i]);
        for (size_t k = 0; classes_real[k].name; k++)
            known |= !strcmp(classes_real[k].name, arguments->classes[i]);
        if (!known)
            fprintf(stderr, "score: --class %s: there is no such class; see --list\n",
                    arguments->classes[i]);
        good &= known;
    }
    return good;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    struct traces traces = {0};
    uint64_t place = 0;

    if (!parse(argc, argv, &arguments)) {
        usage();
        return 2;
    }
    if (!names_known(&arguments))
        return 2;
    if (arguments.list) {
        list();
        return 0;
    }
    run_classes(&arguments, NULL, classes, &place);
    if (arguments.traces) {
        if (!traces_read(arguments.traces, &traces))
            return 2;
        run_classes(&arguments, &traces, classes_real, &place);
        traces_done(&traces);
    }
    for (size_t i = 0; i < arguments.n_variants; i++)
        free(arguments.variants[i].config);
    return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
