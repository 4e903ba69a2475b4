import type { Figure, Report } from './figures.ts';

const begin = '<!-- bench:start -->';
const end = '<!-- bench:end -->';

/** A number with the three digits that count. */
function amount(value: number): string {
  const shown = Number(value.toPrecision(3));
  return shown.toLocaleString('en-US', { maximumSignificantDigits: 3 });
}

const withUnit = (value: number, unit: string): string => `${amount(value)} ${unit}`;

function comparisonOf({ ratio, difference, unit }: Figure): string {
  if (difference !== undefined) return `${difference < 0 ? '-' : '+'}${withUnit(Math.abs(difference), unit)}`;
  return ratio === undefined ? '' : `${ratio.toFixed(2)} ×`;
}

function targetOf({ ratio, difference, unit, target }: Figure): string {
  if (target === undefined) return '';
  const words = target.most === undefined ? 'at least' : 'at most';
  const bound = target.most ?? target.least ?? NaN;
  if (difference !== undefined) return `${words} +${bound} ${unit}`;
  return `${words} ${bound} ${ratio === undefined ? unit : '×'}`;
}

function row(figure: Figure): string {
  const { what, unit, hushd, beside, met } = figure;
  const cells = [
    what,
    withUnit(hushd, unit),
    beside === undefined ? '' : `${withUnit(beside.figure, unit)} (${beside.name})`,
    comparisonOf(figure),
    targetOf(figure),
    met === undefined ? '' : met ? 'yes' : 'no',
  ];
  return `| ${cells.join(' | ')} |`;
}

/** The report as a table in Markdown, with a line about the machine above it. */
export function renderTable({ machine, rounds, figures }: Report): string {
  const { date, processors, model, memoryGiB, kernel, node } = machine;
  return [
    `${date}, ${processors} processors (${model}), ${memoryGiB} GiB, Linux ${kernel}, Node ${node}; ` +
      `medians of ${rounds} rounds, hushd and what it is held against in turn.`,
    '',
    '| | hushd | beside it | compared | target | met |',
    '|---|---|---|---|---|---|',
    ...figures.map(row),
  ].join('\n');
}

/** The page with the report between its two markers. Throws where a marker is missing. */
export function withTable(page: string, report: Report): string {
  const [before, rest] = page.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`the page has no ${begin} … ${end}`);
  return `${before}${begin}\n${renderTable(report)}\n${end}${after}`;
}
