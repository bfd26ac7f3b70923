/**
 * Why something was done that a person asked for, as events and instances tell it. An instance put to sleep for it stays asleep
 * until a visitor comes, whatever `min` says; a clone made for it is not retired at once for want of traffic.
 */
export const asked = 'somebody asked for it';
