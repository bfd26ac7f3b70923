import { VictimFarm } from './victim-farm.js';
const farm = new VictimFarm();
await farm.start();
try {
  const wanted = process.argv.slice(2);
  for (const name of await farm.names()) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const from = performance.now();
    const how = await farm.sleepAndClone(name);
    console.log(`${how === '' ? 'ok  ' : 'FAIL'} ${name} ${(performance.now() - from).toFixed(0)} ms ${how}`);
  }
} finally {
  await farm.close();
}
