import type { Socket } from 'node:net';

/**
 * Carries bytes both ways between two connections that may be half open, each no faster than the other side takes them. An
 * end of one is passed on as an end, and the other direction goes on; a side that breaks breaks the other.
 * @param onClosed both are closed
 */
export function joinStreams(one: Socket, other: Socket, onClosed: () => void): void {
  let open = 2;
  for (const [from, to] of [[one, other], [other, one]] as const) {
    from.pipe(to);
    from.on('close', () => {
      // Closed in good order it has been read to its end and has taken all of the other's; what is still to be written to
      // the other has its end behind it. Anything else the other has to notice as what it is.
      if (!from.readableEnded || !from.writableFinished) to.resetAndDestroy();
      open -= 1;
      if (open === 0) onClosed();
    });
  }
}
