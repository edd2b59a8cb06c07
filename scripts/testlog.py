#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What scripts/test needs to know of meson: which tests there are, and how they ended.

testlog.py select BUILD SUITE PATTERN [FOLDER...]   names of tests, one a line; SUITE can be
                                                    a-b-c: those of a that are in neither b nor c
testlog.py results LABEL LOG.json                   PASS|FAIL|SKIP <tab> name <tab> reason, one a line
"""
import json
import pathlib
import re
import sys

PASSED = {'OK', 'EXPECTEDFAIL'}
SKIPPED = {'SKIP'}
INNER_SKIP = re.compile(r'^\[  SKIPPED \] (?!\d+ test)|^ok\b.*# SKIP', re.M)


def select(build, suite, pattern, *folders):
    """Tests of a suite whose name holds the pattern and whose program was built in a folder."""
    build = pathlib.Path(build).resolve()
    suite, *without = suite.split('-')
    with open(build / 'meson-info' / 'intro-tests.json', encoding='utf-8') as file:
        tests = json.load(file)
    for test in tests:
        suites = {name.split(':')[-1] for name in test['suite']}
        if suite not in suites or suites.intersection(without) or pattern not in test['name']:
            continue
        if folders and not any(build / f in pathlib.Path(test['cmd'][0]).parents for f in folders):
            continue
        print(test['name'])


def last_line(record):
    """The last thing a test said: by convention the reason of a skip."""
    for stream in ('stdout', 'stderr'):
        lines = [line.strip() for line in record.get(stream, '').splitlines() if line.strip()]
        if lines:
            return re.sub(r'^(1\.\.0 +# *)?(SKIP(PED)?)?[: ]*', '', lines[-1])
    return 'no reason given'


def reason_of(record):
    if record['result'] in SKIPPED:
        return last_line(record)
    if record['result'] in PASSED:
        inner = INNER_SKIP.findall(record.get('stdout', '') + record.get('stderr', ''))
        return f'{len(inner)} case(s) inside it skipped' if inner else ''
    return f"{record['result'].lower()}, {describe_exit(record)}"


def describe_exit(record):
    code = record.get('returncode', 0)
    return f'signal {-code}' if code < 0 else f'exit status {code}'


def verdict(result):
    if result in PASSED:
        return 'PASS'
    return 'SKIP' if result in SKIPPED else 'FAIL'


def results(label, log):
    with open(log, encoding='utf-8') as file:
        for line in file:
            record = json.loads(line)
            name = record['name'].split(' / ')[-1]
            print(verdict(record['result']), f'{label}/{name}', reason_of(record), sep='\t')


if __name__ == '__main__':
    {'select': select, 'results': results}[sys.argv[1]](*sys.argv[2:])
