import type { ILineage, ILineageEdge, ILineageNode } from '../tokens';

/** A node and where it stands, px from the top left. */
export interface IPlaced {
  readonly node: ILineageNode;
  readonly x: number;
  readonly y: number;
}

export interface IDrawing {
  readonly places: ReadonlyMap<string, IPlaced>;
  /** Columns from left to right, each from top to bottom. */
  readonly columns: readonly (readonly ILineageNode[])[];
  readonly width: number;
  readonly height: number;
}

export const BOX = { width: 168, height: 52, gapX: 72, gapY: 18, margin: 24 } as const;

/** How often the order within columns is improved. */
const SWEEPS = 4;

/**
 * Columns by layer; within a column each node stands near the mean height of its neighbours
 * (the barycentre heuristic of Sugiyama, Tagawa and Toda 1981).
 */
export function draw(lineage: ILineage): IDrawing {
  const columns = inColumns(lineage.nodes);
  const near = neighbours(lineage.edges);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const height = new Map(columns.flatMap(column => column.map((node, row) => [node.id, row - column.length / 2])));
    for (const column of sweep % 2 ? [...columns].reverse() : columns) {
      const wish = new Map(column.map(node => [node.id, mean(near.get(node.id), height)]));
      column.sort((a, b) => (wish.get(a.id) ?? 0) - (wish.get(b.id) ?? 0));
      column.forEach((node, row) => height.set(node.id, row - column.length / 2));
    }
  }
  return placed(columns);
}

function inColumns(nodes: readonly ILineageNode[]): ILineageNode[][] {
  const layers = [...new Set(nodes.map(node => node.layer))].sort((a, b) => a - b);
  return layers.map(layer => nodes.filter(node => node.layer === layer));
}

function neighbours(edges: readonly ILineageEdge[]): Map<string, string[]> {
  const near = new Map<string, string[]>();
  for (const { source, target } of edges) {
    near.set(source, [...(near.get(source) ?? []), target]);
    near.set(target, [...(near.get(target) ?? []), source]);
  }
  return near;
}

function mean(ids: readonly string[] | undefined, height: ReadonlyMap<string, number>): number {
  const known = (ids ?? []).map(id => height.get(id)).filter(value => value !== undefined);
  return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : 0;
}

function placed(columns: ILineageNode[][]): IDrawing {
  const tallest = Math.max(1, ...columns.map(column => column.length));
  const height = 2 * BOX.margin + tallest * BOX.height + (tallest - 1) * BOX.gapY;
  const places = new Map<string, IPlaced>();
  columns.forEach((column, at) => {
    const own = column.length * BOX.height + (column.length - 1) * BOX.gapY;
    column.forEach((node, row) =>
      places.set(node.id, {
        node,
        x: BOX.margin + at * (BOX.width + BOX.gapX),
        y: (height - own) / 2 + row * (BOX.height + BOX.gapY)
      })
    );
  });
  const width = 2 * BOX.margin + columns.length * BOX.width + Math.max(0, columns.length - 1) * BOX.gapX;
  return { places, columns, width, height };
}

/** Where an arrow key leads from a node: to a neighbour in the next column, or along the column. */
export function step(drawing: IDrawing, edges: readonly ILineageEdge[], from: string, key: string): string | null {
  const column = drawing.columns.findIndex(one => one.some(node => node.id === from));
  const here = drawing.columns[column];
  if (!here) {
    return null;
  }
  const row = here.findIndex(node => node.id === from);
  if (key === 'ArrowUp' || key === 'ArrowDown') {
    return here[row + (key === 'ArrowUp' ? -1 : 1)]?.id ?? null;
  }
  const joined = edges
    .filter(edge => (key === 'ArrowLeft' ? edge.target : edge.source) === from)
    .map(edge => (key === 'ArrowLeft' ? edge.source : edge.target));
  const beside = drawing.columns[column + (key === 'ArrowLeft' ? -1 : 1)] ?? [];
  return (beside.find(node => joined.includes(node.id)) ?? beside[0])?.id ?? null;
}
