// Complains about docs/openapi.json: the rules that Redocly recommends, and ours. `make lint-templates` runs it. It asks nobody on the network.

import { fileURLToPath } from 'node:url';
import { createConfig, formatProblems, getTotals, lint } from '@redocly/openapi-core';

const DOCUMENT = fileURLToPath(new URL('../../docs/openapi.json', import.meta.url));

const config = await createConfig({
  extends: ['recommended-strict'],
  rules: {
    // Everybody has an address of their own, so the document can only have an example.
    'no-server-example.com': 'off',
    // The routes of the DRF API end in a slash, and clients of it send one.
    'no-path-trailing-slash': 'off',
    'rule/one-style-of-operation-ids': {
      subject: { type: 'Operation', property: 'operationId' },
      assertions: { casing: 'camelCase', defined: true },
      message: 'operationId is written in camelCase',
      severity: 'error',
    },
  },
});

const problems = await lint({ ref: process.argv[2] ?? DOCUMENT, config });
formatProblems(problems, { format: 'stylish', totals: getTotals(problems), maxProblems: 100 });
process.exit(problems.length === 0 ? 0 : 1);
