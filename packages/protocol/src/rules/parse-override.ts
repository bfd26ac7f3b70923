import { type OverrideKind, overrideVerbs } from './rule.js';
import { type Form, forms, malformed, type Parsed, unquote, wrongPath } from './rule-forms.js';

type Verb = Extract<Form, 'share' | 'copy' | 'duplicate' | 'virtualize'>;

const override = /^\S+(?:\s+([A-Za-z][A-Za-z0-9-]*))?\s+(?:"((?:[^"\\]|\\.)+)"|([^\s"]+))$/;

/** Why what an override asks for cannot be had, where that is not plain. */
const reasons: Partial<Record<`${Verb} ${OverrideKind}`, string>> = {
  'share memory': 'clones never share memory that one of them can write',
  'share port': 'each instance has its own ports',
};

/** SHARE, COPY, DUPLICATE and VIRTUALIZE: the class that a resource gets, whatever the criteria say. */
export function parseOverride(source: string, line: number, verb: Verb): Parsed {
  const match = override.exec(source);
  const resource = match?.[2] === undefined ? match?.[3] : unquote(match[2]);
  if (match === null || resource === undefined) return malformed(line, verb);
  const kind = (match[1]?.toLowerCase() ?? (resource.startsWith('/') ? 'path' : '')) as OverrideKind;
  if (!(kind in overrideVerbs)) {
    return { wrong: { line, problem: match[1] === undefined ? `"${resource}" could be anything` : `"${match[1]}" is no kind of resource`, allowed: 'PATH, MEMORY or PORT, and the resource' } };
  }
  if (!(overrideVerbs[kind] as readonly string[]).includes(verb)) {
    const because = reasons[`${verb} ${kind}`];
    return { wrong: { line, problem: `a ${kind} cannot be asked to ${verb}${because === undefined ? '' : `: ${because}`}`, allowed: overrideVerbs[kind].map((one) => forms[one]).join(', or ') } };
  }
  const wrong = wrongResource(kind, resource);
  return wrong === null ? { ok: { line, kind: 'override', verb, of: kind, resource } } : { wrong: { line, problem: wrong, allowed: forms[verb] } };
}

function wrongResource(kind: OverrideKind, resource: string): string | null {
  switch (kind) {
    case 'path': return wrongPath(resource);
    case 'port': return /^\d{1,5}$/.test(resource) && Number(resource) >= 1 && Number(resource) <= 65_535 ? null : `"${resource}" is not a port`;
    case 'memory': return null;
  }
}
