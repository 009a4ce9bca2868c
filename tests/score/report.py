# SPDX-License-Identifier: Apache-2.0
"""Sums of traces: means per class and per half, paired differences with standard errors."""

import collections
import math
import statistics

MEANS = ('cost', 'outage_s', 'slow_s', 'away_s', 'moves', 'needless', 'closes', 'timeouts', 'lost')
KINDS = ('synthetic', 'real')


def mean(values):
    values = list(values)
    return sum(values) / len(values) if values else 0.0


def grouped(rows):
    """{policy: {class: {seed: row}}}, in the order in which they come."""
    groups = {}
    for row in rows:
        groups.setdefault(row['policy'], {}).setdefault(row['class'], {})[row['seed']] = row
    return groups


def difference(one, other):
    """Mean of one - other over the same traces, and its standard error: the classes are given, so
    only what differs within a class counts for the error."""
    total, count, variance = 0.0, 0, 0.0
    for name, traces in one.items():
        pairs = [traces[seed]['cost'] - other[name][seed]['cost']
                 for seed in traces if seed in other.get(name, {})]
        total += sum(pairs)
        count += len(pairs)
        if len(pairs) > 1:
            variance += statistics.variance(pairs) * len(pairs)
    return (total / count, math.sqrt(variance) / count) if count else (0.0, 0.0)


def of_kind(classes, real):
    return {name: traces for name, traces in classes.items()
            if next(iter(traces.values()))['real'] == real}


def row_of(classes):
    """One line of the table: each trace counts alike."""
    if not classes:
        return None
    rows = [row for traces in classes.values() for row in traces.values()]
    result = {key: mean(row[key] for row in rows) for key in MEANS}
    result['error'] = difference(classes, {name: {seed: {'cost': 0} for seed in traces}
                                           for name, traces in classes.items()})[1]
    firsts = [row['first_s'] for row in rows if 'first_s' in row]
    result['first_s'] = statistics.median(firsts) if firsts else None
    return result


def summary(rows, base='pathdog'):
    """All that the tables say, as one object for JSON."""
    groups = grouped(rows)
    result = {'policies': {}, 'classes': collections.OrderedDict(), 'differences': {}}
    for policy, classes in groups.items():
        result['policies'][policy] = {
            kind: row_of(of_kind(classes, kind == 'real')) for kind in KINDS}
        for name, traces in classes.items():
            result['classes'].setdefault(name, {})[policy] = row_of({name: traces})
        if policy != base and base in groups:
            result['differences'][policy] = {
                kind: difference(of_kind(classes, kind == 'real'),
                                 of_kind(groups[base], kind == 'real')) for kind in KINDS}
    return result


def pair(policy, key, digits):
    """'synthetic / real'; an en dash where there is none."""
    return ' / '.join('–' if not policy[kind] or policy[kind][key] is None
                      else f'{policy[kind][key]:.{digits}f}' for kind in KINDS)


COLUMNS = (('cost', 'cost', 1), ('± error', 'error', 1), ('outage s', 'outage_s', 1),
           ('slow s', 'slow_s', 1), ('moves', 'moves', 1), ('needless', 'needless', 1),
           ('closes', 'closes', 1), ('timed out', 'timeouts', 1), ('away s', 'away_s', 1),
           ('first s', 'first_s', 1))


def lay(header, lines, markdown):
    """Lines of cells, as text or as a table of Markdown."""
    if markdown:
        yield '| ' + ' | '.join(header) + ' |'
        yield '| --- |' + ' ---: |' * (len(header) - 1)
        for line in lines:
            yield '| ' + ' | '.join(line) + ' |'
        return
    lines = [header] + list(lines)
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    for line in lines:
        yield '  '.join([line[0].ljust(widths[0])] +
                        [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])])


def policies_table(result, markdown=False):
    header = ['policy'] + [title for title, _, _ in COLUMNS]
    lines = [[name] + [pair(policy, key, digits) for _, key, digits in COLUMNS]
             for name, policy in result['policies'].items()]
    return '\n'.join(lay(header, lines, markdown))


def classes_table(result, markdown=False):
    names = list(result['policies'])
    lines = [[name] + [f'{policies[policy]["cost"]:.1f}' if policy in policies else '–'
                       for policy in names] for name, policies in result['classes'].items()]
    return '\n'.join(lay(['cost'] + names, lines, markdown))


def differences_table(result, base='pathdog', markdown=False):
    lines = [[name] + [f'{value[0]:+.2f} ± {value[1]:.2f}'
                       if result['policies'][name][kind] else '–'
                       for kind, value in differences.items()]
             for name, differences in result['differences'].items()]
    return '\n'.join(lay([f'cost against {base}', *KINDS], lines, markdown)) if lines else ''


def document(text, result):
    """The page with its tables made anew: each is found by its first cell."""
    lines = text.split('\n')
    for table in (policies_table(result, True), classes_table(result, True),
                  differences_table(result, markdown=True)):
        new = table.split('\n')
        head = new[0].split(' |')[0] + ' |'
        # "| cost |" is not "| cost against pathdog |"; other tables of the page have other heads.
        start = next(i for i, line in enumerate(lines)
                     if line.startswith(head) and line.count('|') == new[0].count('|'))
        end = start
        while end < len(lines) and lines[end].startswith('|'):
            end += 1
        lines[start:end] = new
    return '\n'.join(lines)
