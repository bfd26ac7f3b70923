const upperCase = /[A-Z]/;

/** The host name in a Host field: lower case, without port and without the dot of the root. */
export function hostName(field: string): string {
  let end = field.length;
  const colon = field.lastIndexOf(':');
  // In [::1] the colons belong to the name.
  if (colon !== -1 && field.charCodeAt(end - 1) !== 93) end = colon;
  if (end > 1 && field.charCodeAt(end - 1) === 46) end -= 1;
  const name = end === field.length ? field : field.slice(0, end);
  return upperCase.test(name) ? name.toLowerCase() : name;
}
