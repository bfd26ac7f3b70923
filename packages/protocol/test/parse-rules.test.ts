import test from 'ava';
import { parseRules } from '../src/rules/parse-rules.js';

test('every kind of rule is read', (t) => {
  const { rules, problems } = parseRules(`
    # identity
    Define <APPL-ID> as PROPERTY application-ID
    define <HOME-DIR> as property env:HOME   # from the environment
    Define <ZONE> as PROPERTY ENV:zone default "the \\"nearest\\""
    REDIR PATH "/srv/config" to "/srv/<APPL-ID>/config"
    REDIR PATH "/srv/data/" to "/srv/<APPL-ID>/data/"
    SET ENV "COLOR" = "#ff0000 \\"red\\""
    SHARE PATH "/srv/media"
    COPY /srv/cache
    DUPLICATE MEMORY nginx
    VIRTUALIZE PORT 5432
  `);
  t.deepEqual(problems, []);
  t.deepEqual(rules.map(({ line: _line, ...rule }) => rule), [
    { kind: 'define', tag: 'APPL-ID', property: 'application-ID', fallback: null },
    { kind: 'define', tag: 'HOME-DIR', property: 'env:HOME', fallback: null },
    { kind: 'define', tag: 'ZONE', property: 'env:zone', fallback: 'the "nearest"' },
    { kind: 'redirect', from: '/srv/config', to: '/srv/<APPL-ID>/config', directory: false },
    { kind: 'redirect', from: '/srv/data', to: '/srv/<APPL-ID>/data', directory: true },
    { kind: 'set-env', name: 'COLOR', value: '#ff0000 "red"' },
    { kind: 'override', verb: 'share', of: 'path', resource: '/srv/media' },
    { kind: 'override', verb: 'copy', of: 'path', resource: '/srv/cache' },
    { kind: 'override', verb: 'duplicate', of: 'memory', resource: 'nginx' },
    { kind: 'override', verb: 'virtualize', of: 'port', resource: '5432' },
  ]);
  t.is(rules[0]?.line, 3);
});

test('each wrong line says what it should look like', (t) => {
  const wrong = (text: string): string | undefined => parseRules(text).problems[0]?.problem;
  t.is(wrong('REDIR PATH /a to /b'), 'this REDIR rule cannot be read');
  t.is(wrong('REDIR PATH "a" to "/b"'), '"a" is not an absolute path');
  t.is(wrong('REDIR PATH "/a/../etc" to "/b"'), '"/a/../etc" is not a plain path');
  t.is(wrong('REDIR PATH "/a" to "/proc/self/fd"'), '"/proc/self/fd" belongs to the system');
  t.is(wrong('REDIR PATH "/a" to "/a/<ID>"'), '"/a" is redirected into itself');
  t.is(wrong('REDIR PATH "/a/<ID>" to "/b"'), 'the redirected path "/a/<ID>" has a tag in it');
  t.is(wrong('SET ENV "1X" = "y"'), '"1X" is not a name of an environment variable');
  t.is(wrong('SET "X" = "y"'), 'this SET rule cannot be read');
  t.is(wrong('DUPLICATE'), 'this DUPLICATE rule cannot be read');
  t.is(wrong('DUPLICAT x y'), '"DUPLICAT" begins no rule; did you mean DUPLICATE?');
  t.is(wrong('SHARE MEMORY nginx'), 'a memory cannot be asked to share: clones never share memory that one of them can write');
  t.is(wrong('SHARE heap'), '"heap" could be anything');
  t.is(wrong('SHARE TAPE "/a"'), '"TAPE" is no kind of resource');
  t.is(wrong('VIRTUALIZE PORT 99999'), '"99999" is not a port');
  t.is(wrong('Define <A> as PROPERTY colour'), '"colour" is not a property');
});

test('what is said twice, or in a circle, is refused at its second line', (t) => {
  const problem = (text: string): object | undefined => {
    const [first] = parseRules(text).problems;
    return first && { line: first.line, problem: first.problem };
  };
  t.deepEqual(problem('Define <A> as PROPERTY application-ID\nDefine <A> as PROPERTY node-ID'), { line: 2, problem: '<A> is defined twice' });
  t.deepEqual(problem('SET ENV "A" = "1"\n\nSET ENV "A" = "2"'), { line: 3, problem: 'A is set twice' });
  t.deepEqual(problem('REDIR PATH "/a" to "/b/x"\nREDIR PATH "/b" to "/a/y"'), { line: 2, problem: '"/b" is redirected in a circle' });
  t.deepEqual(problem('REDIR PATH "/a" to "/x"\nREDIR PATH "/a/b" to "/y"'), { line: 2, problem: '"/a/b" and "/a" lie in each other' });
});
