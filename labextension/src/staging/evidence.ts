import type { IShift } from '../tokens';

const MOST = 12; // decades: stronger evidence is drawn at the upper edge

/** Evidence that the world has changed: how small the p-value is, in decades; higher is stranger. */
export const decadesOf = (p: number): number => Math.min(MOST, Math.max(0, -Math.log10(Math.max(p, 1e-300))));

/** `340 : 1` of a p-value; the words of the drift widget. */
export const oddsOf = (p: number): string =>
  p < 1e-6 ? `10${raised(Math.round(-Math.log10(Math.max(p, 1e-300))))} : 1` : `${Math.round(1 / p).toLocaleString('en')} : 1`;

export const raised = (at: number): string => [...String(at)].map(digit => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)]).join('');

/** What the chart shows, in words. */
export function saidOf(shift: IShift): string {
  const { windows } = shift;
  const seen = `${shift.frames} frames of ${shift.clips} clips`;
  const last = windows[windows.length - 1];
  if (!last) {
    return `${seen}; no check yet.`;
  }
  const paged = windows.filter(one => one.evidence <= one.threshold);
  const verdict = paged.length
    ? `Changed in ${paged.length} of ${windows.length} checks, first at frame ${paged[0]?.frame}`
    : `No change in ${windows.length} checks`;
  return `${verdict}. Odds against chance ${oddsOf(last.evidence)}, a page at ${oddsOf(last.threshold)}; ${seen}.`;
}
