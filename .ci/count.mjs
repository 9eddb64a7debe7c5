/** Reads the test runner's JSON reports and prints "N passed, N failed" as the last line. Exit code 1 where anything failed. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder = '', broken = '0', code = '0'] = process.argv.slice(2);
const WANTED = ['prove.json', 'test.json'];
let passed = 0;
let failed = 0;
const skipped = [];

const there = readdirSync(folder);
for (const name of WANTED) {
  if (!there.includes(name)) {
    console.log(`${name}: there is no report: the tests did not run to their end`);
    failed++;
    continue;
  }
  const report = JSON.parse(readFileSync(join(folder, name), 'utf8'));
  let found = 0;
  for (const file of report.testResults) {
    // A file that could not be loaded has no tests in it, and is a failure all the same.
    if (file.status === 'failed' && !file.assertionResults.some((one) => one.status === 'failed')) {
      console.log(`FAILED ${file.name}: ${file.message}`);
      failed++;
    }
    for (const one of file.assertionResults) {
      found++;
      if (one.status === 'passed') passed++;
      else if (one.status === 'failed') {
        failed++;
        console.log(`FAILED ${one.fullName}`);
      } else skipped.push(one.fullName);
    }
  }
  if (found === 0) {
    failed++;
    console.log(`${name}: no tests`);
  }
}
// What needs a service says so in its name; required services make it fail, and this sees that none has slipped through.
const services = skipped.filter((name) => /influxd|socat/i.test(name));
for (const name of skipped) console.log(`skipped ${name}`);
for (const name of services) console.log(`FAILED ${name}: it needs a service and was skipped`);
failed += services.length;
// Lint and types count as one each; a test run that ended badly without a failed test does, too.
const steps = Number(broken);
if (failed === 0 && (steps > 0 || code !== '0')) failed = Math.max(1, steps);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
