import test from 'ava';
import { parseRules } from '../../src/app-file/rules-syntax.js';

test('every kind of rule is read', (t) => {
  const { rules, problems } = parseRules(`
    # identity
    Define <APPL-ID> as PROPERTY application-ID
    define <HOME-DIR> as property env:HOME   # from the environment
    REDIR PATH "/srv/config" to "/srv/<APPL-ID>/config"
    SET ENV "COLOR" = "#ff0000 \\"red\\""
    SHARE FILE "/usr/share/dict/words"
    COPY memory heap
    DUPLICATE SHM "/cache"
    VIRTUALIZE PORT 5432
  `);
  t.deepEqual(problems, []);
  t.deepEqual(rules.map(({ line: _line, ...rule }) => rule), [
    { kind: 'define', tag: 'APPL-ID', property: 'application-ID' },
    { kind: 'define', tag: 'HOME-DIR', property: 'env:HOME' },
    { kind: 'redirect', from: '/srv/config', to: '/srv/<APPL-ID>/config' },
    { kind: 'set-env', name: 'COLOR', value: '#ff0000 "red"' },
    { kind: 'override', verb: 'share', of: ['FILE'], resource: '/usr/share/dict/words' },
    { kind: 'override', verb: 'copy', of: ['memory'], resource: 'heap' },
    { kind: 'override', verb: 'duplicate', of: ['SHM'], resource: '/cache' },
    { kind: 'override', verb: 'virtualize', of: ['PORT'], resource: '5432' },
  ]);
  t.is(rules[0]?.line, 3);
});

test('each wrong line says what it should look like', (t) => {
  const wrong = (line: string): string | undefined => parseRules(line).problems[0]?.problem;
  t.is(wrong('REDIR PATH /a to /b'), 'this REDIR rule cannot be read');
  t.is(wrong('REDIR PATH "a" to "/b"'), '"a" is not an absolute path');
  t.is(wrong('SET ENV "1X" = "y"'), '"1X" is not a name of an environment variable');
  t.is(wrong('SET "X" = "y"'), 'this SET rule cannot be read');
  t.is(wrong('DUPLICATE'), 'this DUPLICATE rule cannot be read');
  t.is(wrong('DUPLICAT x y'), '"DUPLICAT" begins no rule; did you mean DUPLICATE?');
  t.is(wrong('Define <A> as PROPERTY application-ID\nDefine <A> as PROPERTY node-ID'), '<A> is defined twice');
});
