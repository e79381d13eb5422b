// SPDX-License-Identifier: Apache-2.0
import type { z } from 'zod';

/** Fields whose values no answer repeats. */
const secretFields: ReadonlySet<PropertyKey> = new Set(['value', 'rawValue']);

/** Longest part of a faulty value that is repeated. Chosen: enough to recognise it. */
const longestShownValue = 120;

/** One sentence a fault: `limits.memory: expected string, got 128`. `whole` names the value itself. */
export function describeIssues(issues: readonly z.core.$ZodIssue[], whole: string): string[] {
  return issues.map((issue) => {
    const field = issue.path.length === 0 ? whole : issue.path.join('.');
    const isSecret = issue.path.some((part) => secretFields.has(part));
    return `${field}: ${expectation(issue)}${isSecret || issue.path.length === 0 ? '' : `, got ${show(issue.input)}`}`;
  });
}

/** Where the schema's own word says little to a client. */
const expectedWords: Readonly<Record<string, string>> = { record: 'object', int: 'a whole number' };

function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code !== 'invalid_type') return issue.message;
  return `expected ${expectedWords[issue.expected] ?? issue.expected}`;
}

function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length > longestShownValue ? `${text.slice(0, longestShownValue)}…` : text;
}
