// One scheduler as a process of its own, to be killed. Settings as JSON in the first argument; prints its API's URL.
import { run } from '../../../src/run.ts';

const { facts } = await run(JSON.parse(process.argv[2]));
console.log(facts.api);
