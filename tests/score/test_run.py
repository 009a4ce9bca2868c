#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The scoreboard's sums, and the check that keeps pathdog's cost: it can fail.

test_run.py PROGRAM"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import report  # noqa: E402

PROGRAM = sys.argv.pop()


def row(policy, name, seed, cost, **more):
    values = dict.fromkeys(report.MEANS, 0)
    return {**values, 'policy': policy, 'class': name, 'seed': seed, 'cost': cost, 'real': False,
            **more}


class Sums(unittest.TestCase):
    def test_difference_is_paired(self):
        rows = [row('a', 'x', 1, 10), row('a', 'x', 2, 20), row('b', 'x', 1, 9),
                row('b', 'x', 2, 19)]
        groups = report.grouped(rows)
        self.assertEqual(report.difference(groups['a'], groups['b']), (1, 0))

    def test_error_is_within_classes(self):
        rows = [row('a', 'x', 1, 1), row('a', 'x', 2, 3), row('a', 'y', 1, 50), row('a', 'y', 2, 50)]
        sums = report.row_of(report.grouped(rows)['a'])
        self.assertEqual(sums['cost'], 26)
        self.assertAlmostEqual(sums['error'], (2 * 2) ** 0.5 / 4)

    def test_median_of_first_actions(self):
        rows = [row('a', 'x', 1, 0, first_s=3), row('a', 'x', 2, 0, first_s=5),
                row('a', 'x', 3, 0), row('a', 'x', 4, 0, first_s=9)]
        self.assertEqual(report.row_of(report.grouped(rows)['a'])['first_s'], 5)

    def test_real_classes_are_apart(self):
        result = report.summary([row('pathdog', 'x', 1, 4), row('pathdog', 'r', 1, 8, real=True)])
        self.assertEqual(result['policies']['pathdog']['synthetic']['cost'], 4)
        self.assertEqual(result['policies']['pathdog']['real']['cost'], 8)
        self.assertIn('4.0 / 8.0', report.policies_table(result))

    def test_document(self):
        result = report.summary([row('pathdog', 'x', 1, 4), row('nothing', 'x', 1, 9)])
        page = '\n'.join(['before', '', '| policy | |', '| --- | --- |', '| nothing | does nothing |',
                          '', report.policies_table(result, True).replace('4.0', '7.7'), '',
                          '| cost | a | b |', '| --- | ---: | ---: |', '| y | 1 | 2 |', '| z | 3 | 4 |',
                          '', report.differences_table(result, markdown=True), 'after'])
        done = report.document(page, result)
        self.assertNotIn('7.7', done)
        self.assertNotIn('| y |', done)
        self.assertIn('| x | 4.0 | 9.0 |', done)
        self.assertIn('does nothing', done)
        self.assertTrue(done.endswith('after'))
        self.assertEqual(report.document(done, result), done)


class Check(unittest.TestCase):
    """With a class that is quick, and what is recorded of it made up."""

    def check(self, recorded):
        with tempfile.NamedTemporaryFile('w', suffix='.json') as file:
            json.dump({'quick': {'synthetic': recorded}}, file)
            file.flush()
            return subprocess.run(
                [sys.executable, str(HERE / 'run'), '--check', '--class', 'failover', '--program',
                 PROGRAM, '--recorded', file.name], capture_output=True, text=True, check=False)

    def now(self):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / 'recorded.json'
            subprocess.run([sys.executable, str(HERE / 'run'), '--record', '--class', 'failover',
                            '--program', PROGRAM, '--recorded', str(path), '--traces', ''],
                           check=True, stdout=subprocess.DEVNULL)
            return json.loads(path.read_text())['quick']['synthetic']

    def test_check(self):
        now = self.now()
        self.assertEqual(set(now['classes']), {'failover'})
        self.assertEqual(self.check(now).returncode, 0)
        before = {**now, 'cost': now['cost'] / 1.06}
        worse = self.check(before)
        self.assertEqual(worse.returncode, 1)
        self.assertIn('pathdog decides worse than recorded', worse.stdout)
        better = self.check({**now, 'cost': now['cost'] * 1.06})
        self.assertEqual(better.returncode, 0)
        self.assertIn('better than recorded', better.stdout)
        other = self.check({**now, 'classes': {'another': 1}})
        self.assertEqual(other.returncode, 1)


class Variants(unittest.TestCase):
    def run_it(self, *words):
        return subprocess.run([sys.executable, str(HERE / 'run'), '--program', PROGRAM, '--seeds',
                               '1', '--class', 'failover', *words], capture_output=True, text=True,
                              check=False)

    def test_without(self):
        result = self.run_it('--without', 'route', '--set', 'fallback=off')
        self.assertEqual(result.returncode, 0, result.stderr)
        for name in ('pathdog', 'without-route', 'fallback:off'):
            self.assertRegex(result.stdout, f'(?m)^{name} ')

    def test_node(self):
        result = self.run_it('--node', 'old', '--node', 'no-push')
        self.assertEqual(result.returncode, 0, result.stderr)
        for name in ('pathdog', 'node-old', 'node-no-push'):
            self.assertRegex(result.stdout, f'(?m)^{name} ')
        self.assertEqual(self.run_it('--node', 'new').returncode, 2)

    def test_bad_configuration(self):
        result = self.run_it('--set', 'fallback=sometimes')
        self.assertEqual(result.returncode, 2)
        self.assertIn('fallback', result.stderr)

    def test_bad_setting(self):
        result = self.run_it('--set', 'fallback')
        self.assertEqual(result.returncode, 2)
        self.assertIn('KEY=VALUE', result.stderr)

    def test_unknown_class(self):
        result = self.run_it('--class', 'nonesuch')
        self.assertEqual(result.returncode, 2)
        self.assertIn('nonesuch', result.stderr)


if __name__ == '__main__':
    unittest.main()
