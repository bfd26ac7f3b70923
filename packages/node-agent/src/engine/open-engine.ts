import { KeeperEngine } from './keeper-engine.js';

/** Opens the engine of a directory, starting its keeper where none runs. @throws EngineError */
export async function openEngine({ dir }: { readonly dir: string }): Promise<KeeperEngine> {
  const engine = new KeeperEngine(dir);
  await engine.start();
  return engine;
}
