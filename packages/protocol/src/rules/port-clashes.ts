import type { ExposedPort } from '../app-spec.js';
import type { Rule } from './rule.js';

/** A `VIRTUALIZE PORT` rule about a port that something else says is reached from outside. */
export interface PortClash {
  /** The rule's, within the rules, from 1. */
  readonly line: number;
  readonly port: number;
  /** What says otherwise, in the app file. */
  readonly path: readonly ['port'] | readonly ['expose', number, 'port'];
}

/** @returns each contradiction between what rules keep inside of the instance and what has to be reached from outside. */
export function portClashes(rules: readonly Rule[], reached: { readonly port?: number | undefined; readonly expose?: readonly Pick<ExposedPort, 'port'>[] }): PortClash[] {
  return rules.flatMap((rule): PortClash[] => {
    if (rule.kind !== 'override' || rule.of !== 'port') return [];
    const { line } = rule;
    const port = Number(rule.resource);
    const exposed = (reached.expose ?? []).flatMap((one, index): PortClash[] => (one.port === port ? [{ line, port, path: ['expose', index, 'port'] }] : []));
    return reached.port === port ? [{ line, port, path: ['port'] }, ...exposed] : exposed;
  });
}
